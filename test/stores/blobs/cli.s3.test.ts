/** `stager blobs …` and `stager package create` against a real S3 server, as a person runs them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_KEY, type S3Server, SECRET_KEY, startS3Server } from '../../support/s3-server.ts';

const main = fileURLToPath(new URL('../../../src/doors/cli/main.ts', import.meta.url));

let root: string;
let server: S3Server;
let blobstore: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-blobs-cli-'));
  server = await startS3Server(root);
  await server.makeBucket('cli');
  blobstore = server.address('cli', '&attempts=2');
  await writeFile(join(root, 'file'), 'content');
});
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function stager(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const options = {
    cwd: root,
    env: {
      PATH: process.env['PATH'],
      HOME: root,
      STAGER_HOME: join(root, 'home'),
      NODE_COMPILE_CACHE: join(root, 'compiled'),
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    },
  };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

const blobs = (...args: string[]): Promise<Ended> => stager(['blobs', ...args, '--blobstore', blobstore]);
const lines = ({ stdout }: Ended): unknown[] =>
  stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));

describe('stager blobs on a bucket', () => {
  it('puts, lists, gets, verifies, counts and removes', async () => {
    expect(await blobs('put', 'buildpacks/one', 'file')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Stored 7 B, sha256 [0-9a-f]{64}, at s3:\/\/cli\//),
    });
    expect(lines(await blobs('ls', 'buildpacks', '--json'))).toMatchObject([
      { key: 'buildpacks/one', sizeBytes: 7, contentType: 'application/octet-stream' },
    ]);
    expect((await blobs('get', 'buildpacks/one', '-')).stdout).toBe('content');
    expect((await blobs('get', 'buildpacks/one', 'copy')).code).toBe(0);
    expect(await readFile(join(root, 'copy'), 'utf8')).toBe('content');
    expect(lines(await blobs('verify', '--json'))).toEqual([
      { checked: 1, bytes: 7, damaged: [], packages: [] },
    ]);
    expect(lines(await blobs('du', '--json'))).toContainEqual({ kind: 'buildpacks', blobs: 1, bytes: 7 });
    expect(lines(await blobs('rm', 'buildpacks/one', 'buildpacks/two', '--json'))).toEqual([
      { key: 'buildpacks/one', deleted: true },
      { key: 'buildpacks/two', deleted: false },
    ]);
    expect((await blobs('ls')).stdout).toBe('');
  });

  it('creates packages that send nothing twice, and collects the old ones', async () => {
    const create = () => stager(['package', 'create', root, '--blobstore', blobstore, '--json']);
    await writeFile(join(root, '.cfignore'), '/*\n!/file\n!.cfignore\n');
    const [first] = lines(await create());
    expect(first).toMatchObject({ type: 'package-created', sentFiles: 1 });
    const [second] = lines(await create());
    expect(second).toMatchObject({ sentFiles: 0, sentBytes: 0, matchedFiles: 1 });
    const [plan] = lines(await blobs('gc', '--dry-run', '--min-age', '0', '--keep-packages', '1', '--json'));
    expect(plan).toMatchObject({ dryRun: true, packages: [{ kind: 'packages' }] });
    expect((await blobs('ls', 'packages')).stdout.trim().split('\n')).toHaveLength(2);
    expect((await blobs('gc', '--min-age', '0', '--keep-packages', '1')).stdout).toContain(
      'Deleted 1 package, ',
    );
    expect((await blobs('ls', 'packages')).stdout.trim().split('\n')).toHaveLength(1);
  });

  it('makes an index again that somebody deleted, and names the packages that need it until then', async () => {
    const [created] = lines(await stager(['package', 'create', root, '--blobstore', blobstore, '--json']));
    expect(created).toMatchObject({ type: 'package-created' });
    const index = (await blobs('ls', 'resources/local/index')).stdout.trim().split('\n');
    await blobs('rm', ...index.map((line) => line.split(/ +/).at(-1) ?? ''));
    expect(await blobs('verify')).toMatchObject({
      code: 22,
      stderr: expect.stringMatching(
        /package [0-9a-f-]{36} can't be staged: the contents of \d+ files? are missing/,
      ),
    });
    expect(await blobs('repair')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^resource cache local: \d+ packs? with \d+ contents? entered\n$/),
    });
    expect((await blobs('repair')).stdout).toBe('resource cache local: nothing to repair\n');
    expect((await blobs('verify')).code).toBe(0);
  });

  it('says what is wrong with a key or a file', async () => {
    expect(await blobs('get', 'buildpacks/none', '-')).toMatchObject({
      code: 82,
      stderr: expect.stringContaining('buildpacks/no/ne/none'),
    });
    expect(await blobs('put', 'buildpacks/one', 'not-there')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("not-there can't be read: ENOENT"),
    });
    expect((await blobs('ls', 'pictures')).stderr).toContain('does not begin with a kind of blob');
  });
});

describe('a bucket that cannot be used', () => {
  const at = (address: string, ...args: string[]) => [...args, '--blobstore', address];

  it.each([
    ['an unknown key', { AWS_ACCESS_KEY_ID: 'nobody' }],
    ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong-secret' }],
  ])('says that the credentials were not accepted: %s', async (_name, env) => {
    for (const args of [
      ['blobs', 'ls'],
      ['blobs', 'put', 'buildpacks/one', 'file'],
      ['package', 'create', '.'],
    ]) {
      const { code, stderr } = await stager(at(blobstore, ...args), env);
      expect({ args, code, stderr }).toMatchObject({
        code: 81,
        stderr: expect.stringContaining('credentials were not accepted'),
      });
      expect(stderr).not.toContain('wrong-secret');
    }
  });

  it('says that there is no such bucket, as an event where events are asked for', async () => {
    for (const args of [
      ['blobs', 'du'],
      ['package', 'create', '.'],
    ]) {
      const ended = await stager(at(server.address('nobody-s'), ...args, '--json'));
      expect(ended.code).toBe(80);
      expect(lines(ended)).toMatchObject([
        { type: 'error', error: { message: expect.stringContaining('bucket does not exist') } },
      ]);
    }
  });

  it('says that nobody answers at the endpoint', async () => {
    const address = 's3://cli/p?endpoint=http://127.0.0.1:1&attempts=2';
    expect(await stager(at(address, 'blobs', 'gc'))).toMatchObject({
      code: 80,
      stderr: expect.stringMatching(/ECONNREFUSED.*127\.0\.0\.1:1[\s\S]*Check the endpoint/),
    });
  });
});
