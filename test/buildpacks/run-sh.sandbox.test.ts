/** Where a buildpack of the kit finds a Node to run on, on a cell that has neither Node nor stager. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Dependencies } from '../../buildpacks/kit/dependencies.ts';
import { createLog, loadManifest, resolve } from '../../buildpacks/kit/index.ts';

const TOOLS = 'sh curl awk sed grep sha512sum tar gzip mkdir rm mv uname dirname cat'.split(' ');

let temp: DirectoryResult;

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  for (const name of ['bin', 'app', 'cache', 'deps/0', 'profile.d']) {
    await mkdir(join(temp.path, name), { recursive: true });
  }
  for (const tool of TOOLS) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    await symlink(path, join(temp.path, 'bin', tool));
  }
  await cp('buildpacks/staticfile', join(temp.path, 'buildpack'), { recursive: true });
});
afterEach(() => temp.cleanup());

/** Runs finalize with a registry that answers every request with `body`; exit code, output, requests. */
async function finalize(body: Buffer) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const { execa } = await import('execa');
  const args = ['app', 'cache', 'deps'].map((name) => join(temp.path, name));
  const ended = await execa(
    join(temp.path, 'buildpack/bin/finalize'),
    [...args, '0', join(temp.path, 'profile.d')],
    {
      all: true,
      reject: false,
      extendEnv: false,
      env: { PATH: join(temp.path, 'bin'), STAGER_NPM_REGISTRY: `http://127.0.0.1:${port}/` },
    },
  );
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  return { code: ended.exitCode, output: ended.all, requests };
}

it('downloads the pinned Node from the registry mirror into the cache, once', async () => {
  const manifest = await loadManifest('buildpacks/kit/runtime');
  const node = resolve(manifest, 'node', '*', { stack: '', arch: process.arch });
  const store = new Dependencies({
    buildpackDir: '.',
    cacheDir: '.cache/buildpack-tests',
    env: process.env,
    log: createLog(() => undefined),
  });
  const tarball = await readFile(await store.fetch(node));
  const first = await finalize(tarball);
  // It got as far as the buildpack's own work: there is no nginx in this deps directory.
  expect(first.output).toContain('-----> staticfile buildpack');
  const name = `node-linux-${process.arch}`;
  expect(first.requests).toEqual([`/${name}/-/${name}-${node.version}.tgz`]);
  expect((await finalize(tarball)).requests).toEqual([]);
});

it('refuses a Node with another checksum and leaves none in the cache', async () => {
  const ended = await finalize(Buffer.from('something else'));
  expect(ended.code).toBe(1);
  expect(ended.output).toContain('has the wrong checksum');
  expect(existsSync(join(temp.path, 'cache/node-runtime', `node-linux-${process.arch}-24.21.0`))).toBe(false);
});

it('says so when the buildpack was never built', async () => {
  const { rm } = await import('node:fs/promises');
  await rm(join(temp.path, 'buildpack/dist/main.cjs'));
  const ended = await finalize(Buffer.alloc(0));
  expect(ended.output).toContain('npm run setup');
});
