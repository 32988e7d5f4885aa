/** `stager blobs …` on a directory, as a person and a shell use it. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstat, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { Cli } from '../../support/cli.ts';
import { portOf } from '../../support/resigning-proxy.ts';
import { streamOf } from './contract.ts';

const STAGER = fileURLToPath(new URL('../../../bin/stager', import.meta.url));
const signal = new AbortController().signal;
const bytes = randomBytes(8_000_000);
let cli: Cli;
let store: string;
beforeAll(async () => {
  cli = await Cli.make();
  store = join(cli.dir, 'store');
  await writeFile(join(cli.dir, 'large'), bytes);
  expect((await blobs('put', 'buildpacks/large', 'large')).code).toBe(0);
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

const blobs = (...args: string[]) => cli.run(['blobs', ...args, '--blobstore', store], { cwd: cli.dir });

/** The large blob into a pipe; the last line of stdout is the exit status of stager. */
async function piped(reader: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const command = `"$0" blobs get buildpacks/large - --blobstore "$1" | ${reader}; echo "\${PIPESTATUS[0]}"`;
  const env = { PATH: process.env['PATH'], HOME: cli.dir, STAGER_HOME: cli.home };
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command, STAGER, store], { env });
  return { stdout, stderr };
}

describe('stager blobs', () => {
  it('gives a pipe every byte, however slowly it is read', async () => {
    const { stdout, stderr } = await piped('{ sleep 0.3; sha256sum; }');
    expect({ stdout, stderr }).toEqual({
      stdout: `${createHash('sha256').update(bytes).digest('hex')}  -\n0\n`,
      stderr: '',
    });
  });

  it('ends quietly when the pipe is closed', async () => {
    expect(await piped('head -c 10 | wc -c')).toEqual({ stdout: '10\n0\n', stderr: '' });
  });

  it('ends with 143 on SIGTERM while the store sends nothing more, and leaves no part of the file', async () => {
    const headers = {
      'content-length': 50_000_000,
      etag: '"1"',
      'x-amz-meta-stager-sha1': 'a'.repeat(40),
      'x-amz-meta-stager-sha256': 'b'.repeat(64),
    };
    const asked = Promise.withResolvers<void>();
    const silent = createServer(({ method }, response) => {
      if (method === 'HEAD') {
        response.writeHead(200, headers).end();
        return;
      }
      response.writeHead(206, { ...headers, 'content-range': 'bytes 0-49999999/50000000' });
      response.write('P'.repeat(100_000), () => asked.resolve());
    });
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const bucket = `s3://bucket/p?endpoint=http://127.0.0.1:${portOf(silent)}`;
    const file = join(cli.dir, 'never');
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_EC2_METADATA_DISABLED: 'true' };
    const running = cli.start(['blobs', 'get', 'buildpacks/large', file, '--blobstore', bucket], { env });
    await asked.promise;
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('cancelled by SIGTERM'),
    });
    expect((await readdir(cli.dir)).filter((name) => /^\.stager|^never/.test(name))).toEqual([]);
    silent.closeAllConnections();
    silent.close();
  });

  it('replaces no device, pipe or socket by a file', async () => {
    const link = join(cli.dir, 'null');
    await symlink('/dev/null', link);
    const ended = await blobs('get', 'buildpacks/large', link);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a regular file') });
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect((await readdir(cli.dir)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('takes a number that is empty for no number, and deletes nothing', async () => {
    const directory = await openBlobStore(store);
    const app = newGuid();
    const options = { contentType: 'application/gzip', signal };
    await directory.put(
      { kind: 'droplets', name: `${app}/${newGuid()}` },
      streamOf(Buffer.from('droplet')),
      options,
    );
    for (const [flag, value] of [
      ['--keep-droplets', ''],
      ['--keep-packages', '1e3'],
    ] as const) {
      const ended = await blobs('gc', '--min-age', '0', flag, value);
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(flag) });
    }
    expect((await blobs('ls', 'droplets')).stdout).toContain(app);
    expect((await blobs('gc', '--min-age', '0', '--keep-droplets', '0')).stdout).toContain('1 droplet,');
  });

  it('lists, verifies and removes a key that has lost its bytes', async () => {
    await blobs('put', 'buildpacks/lost', 'large');
    const data = (await readdir(join(store, '.data'), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    );
    for (const { parentPath, name } of data) await rm(join(parentPath, name));
    expect(await blobs('verify')).toMatchObject({
      code: 83,
      stdout: 'Checked 2 blobs, 15 MiB: 2 damaged\n',
      stderr: expect.stringContaining('damaged buildpacks/lost: its bytes are gone'),
    });
    await blobs('rm', 'buildpacks/lost', 'buildpacks/large');
    expect(await blobs('verify')).toMatchObject({ code: 0, stdout: 'Checked 0 blobs, 0 B: 0 damaged\n' });
  });
});
