/** What the kit keeps of a recorded staging, and how it stages from that. */
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inBundleMode, isOffline, offlineVariables } from '../../../buildpacks/kit/bundle.ts';
import { download, fetchText, NotThere } from '../../../buildpacks/kit/download.ts';
import { output } from '../../../buildpacks/kit/exec.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';

let temp: DirectoryResult;
let server: Server;
let asked: string[];
let url: string;

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.statusCode = request.url === '/gone' ? 404 : 200;
    response.end(`answer to ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await temp.cleanup();
});

const log = createLog(() => undefined);

describe('a staging from a bundle', () => {
  it('gets the answers that were recorded, refusals too, and asks no server', async () => {
    const index = join(temp.path, 'index');
    await inBundleMode('record', temp.path, async () => {
      await fetchText(`${url}/list`, 1000);
      await download(`${url}/index`, index, { log });
      await expect(fetchText(`${url}/gone`, 1000)).rejects.toThrow(NotThere);
    });
    asked = [];
    await inBundleMode('offline', temp.path, async () => {
      // Credentials may be others by then.
      const withPassword = url.replace('//', '//me:secret@');
      expect(await fetchText(`${withPassword}/list`, 1000)).toBe('answer to /list');
      await download(`${url}/index`, index, { log });
      await expect(fetchText(`${url}/gone`, 1000)).rejects.toThrow(NotThere);
    });
    expect(asked).toEqual([]);
  });

  it('says at once what the bundle lacks', async () => {
    const fetching = inBundleMode('offline', temp.path, () => download(`${url}/new`, temp.path, { log }));
    await expect(fetching).rejects.toMatchObject({
      message: `${url}/new is not in the bundle`,
      next: expect.stringContaining('record the bundle again'),
    });
    expect(asked).toEqual([]);
  });

  it('tells tools to use their caches, and no other staging does', async () => {
    const env = { PATH: process.env['PATH'] };
    const print = () => output(['sh', '-c', 'echo $UV_OFFLINE $GOPROXY'], { cwd: '/', env });
    expect((await inBundleMode('offline', temp.path, print)).stdout).toBe('1 off\n');
    expect((await inBundleMode('record', temp.path, print)).stdout).toBe('\n');
    expect([isOffline(), offlineVariables()]).toEqual([false, {}]);
  });

  it('keeps no answers once it is a staging as any other', async () => {
    await inBundleMode('record', temp.path, () => fetchText(`${url}/list`, 1000));
    await inBundleMode(undefined, temp.path, async () => undefined);
    await expect(inBundleMode('offline', temp.path, () => fetchText(`${url}/list`, 1000))).rejects.toThrow(
      'not in the bundle',
    );
  });
});
