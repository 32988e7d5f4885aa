/** Getting buildpacks: archives, downloads from a real server, git repositories made on the spot. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { ContentStore } from '../../../src/staging/buildpack/acquire/content-store.ts';
import { BuildpackFetcher, type FetchableReference } from '../../../src/staging/buildpack/acquire/fetch.ts';
import { parseReference } from '../../../src/staging/buildpack/contract/reference.ts';
import type { Clock } from '../../../src/words/clock.ts';

/** Retries wait for nothing here. */
const hasty: Clock = {
  now: () => Date.now(),
  schedule: (_delayMs, run) => {
    const timer = setImmediate(run);
    return () => clearImmediate(timer);
  },
};
const signal = new AbortController().signal;
let root: string;
let store: ContentStore;
let fetcher: BuildpackFetcher;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fetch-'));
  store = new ContentStore(join(root, 'store'), hasty);
  fetcher = new BuildpackFetcher({
    store,
    http: async () => httpClient({ proxy: {}, extraCa: [] }),
    cacheDir: join(root, 'downloads'),
    git: { searchPath: '/usr/bin:/bin', proxy: {} },
    clock: hasty,
  });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function fetchable(text: string): FetchableReference {
  const reference = parseReference(text, { cwd: root });
  if (reference.kind === 'installed') throw new Error('not a place');
  return reference;
}

async function fetch(text: string) {
  const fetched = await fetcher.fetch(fetchable(text), { signal });
  await fetched.lease.release();
  return { ...fetched, dir: fetched.lease.dir };
}

interface ZipEntry {
  readonly path: string;
  readonly content?: string;
  readonly mode?: number;
}

async function zip(entries: readonly ZipEntry[]): Promise<Buffer> {
  const file = new ZipFile();
  for (const { path, content = '', mode = 0o100644 } of entries) {
    file.addBuffer(Buffer.from(content), path, { mode, mtime: new Date(0), compress: false });
  }
  file.end();
  const chunks: Buffer[] = [];
  for await (const chunk of file.outputStream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Streams of old libraries are typed as unknown. */
const toBuffer = (chunk: unknown): Buffer => (Buffer.isBuffer(chunk) ? chunk : Buffer.alloc(0));

const DETECT: ZipEntry = { path: 'bin/detect', content: '#!/bin/sh\n', mode: 0o100755 };

describe('archives', () => {
  it('#38 keep modes and links', async () => {
    const entries = [
      DETECT,
      { path: 'bin/link', content: 'detect', mode: 0o120777 },
      { path: 'plain', mode: 0o100640 },
    ];
    await writeFile(join(root, 'bp.zip'), await zip(entries));
    const { dir } = await fetch('./bp.zip');
    expect((await stat(join(dir, 'bin/detect'))).mode & 0o777).toBe(0o755);
    expect((await stat(join(dir, 'plain'))).mode & 0o777).toBe(0o640);
    expect(await readlink(join(dir, 'bin/link'))).toBe('detect');
  });

  it('are unpacked again where the tree that was kept is damaged', async () => {
    await writeFile(join(root, 'bp.zip'), await zip([DETECT, { path: 'lib', content: 'one' }]));
    const { dir } = await fetch('./bp.zip');
    await writeFile(join(dir, 'lib'), 'two');
    expect(await readFile(join((await fetch('./bp.zip')).dir, 'lib'), 'utf8')).toBe('one');
  });

  it.each([
    ['../escape', undefined],
    ['/absolute', undefined],
    ['bin/link', '../../../etc/passwd'],
    ['bin/link', '/etc/passwd'],
  ])('#38 with %s are refused whole', async (path, target) => {
    const hostile = await zip([
      DETECT,
      target === undefined ? { path: 'AAAA' } : { path, content: target, mode: 0o120777 },
    ]);
    // yazl refuses to write such names itself, so they are put in afterwards, padded to the same length.
    const name = 'AAAA';
    const bytes =
      target === undefined
        ? Buffer.from(hostile.toString('latin1').replaceAll(name, `${path}....`.slice(0, 4)), 'latin1')
        : hostile;
    await writeFile(join(root, 'bp.zip'), bytes);
    await expect(fetch('./bp.zip')).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
    expect(await readdir(join(root, 'store/store')).catch(() => [])).toEqual([]);
  });

  it('write through no link', async () => {
    const tar = pack();
    tar.entry({ name: 'bin/detect', mode: 0o755 }, '#!/bin/sh\n');
    tar.entry({ name: 'out', type: 'symlink', linkname: '..' });
    tar.entry({ name: 'out/planted' }, 'x');
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(toBuffer(chunk));
    await writeFile(join(root, 'bp.tgz'), gzipSync(Buffer.concat(chunks)));
    await expect(fetch('./bp.tgz')).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
  });

  it('with one nested directory work, as zip and as tgz, and have the same digest', async () => {
    await writeFile(join(root, 'a.zip'), await zip([{ ...DETECT, path: 'top/bin/detect' }]));
    const tar = pack();
    tar.entry({ name: 'top/bin/detect', mode: 0o700 }, '#!/bin/sh\n');
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(toBuffer(chunk));
    await writeFile(join(root, 'b.tar.gz'), gzipSync(Buffer.concat(chunks)));
    const [a, b] = [await fetch('./a.zip'), await fetch('./b.tar.gz')];
    expect([a.inner, b.inner]).toEqual(['top', 'top']);
    expect(a.lease.digest).toBe(b.lease.digest);
  });

  it('#37 that are none, missing or wrong by digest say so', async () => {
    await writeFile(join(root, 'bp.zip'), 'this is not a zip');
    await expect(fetch('./bp.zip')).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
    await expect(fetch('./missing.zip')).rejects.toMatchObject({ code: 'BUILDPACK_NOT_FOUND' });
    await expect(fetch(`./bp.zip#sha256=${'0'.repeat(64)}`)).rejects.toMatchObject({
      code: 'BUILDPACK_CHECKSUM_MISMATCH',
    });
  });

  it('without bin are refused and leave nothing behind', async () => {
    await writeFile(join(root, 'bp.zip'), await zip([{ path: 'README.md', content: 'x' }]));
    await expect(fetch('./bp.zip')).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      message: expect.stringContaining('does not contain a /bin dir'),
    });
    expect(await readdir(join(root, 'store/leases'))).toEqual([]);
    expect(await readdir(join(root, 'store/tmp'))).toEqual([]);
  });

  it('that are images of Cloud Native Buildpacks name the lifecycle that runs them', async () => {
    const layout = ['oci-layout', 'index.json'].map((path) => ({ path, content: '{}' }));
    await writeFile(join(root, 'bp.zip'), await zip(layout));
    await expect(fetch('./bp.zip')).rejects.toMatchObject({
      code: 'BUILDPACK_MALFORMED',
      next: expect.stringContaining('--lifecycle cnb'),
    });
  });

  it('have their stack read from manifest.yml and their version from VERSION, never through a link', async () => {
    const entries = [
      DETECT,
      { path: 'manifest.yml', content: 'stack: cflinuxfs4\nlanguage: x\n' },
      { path: 'VERSION', content: '1.10\n' },
    ];
    await writeFile(join(root, 'bp.zip'), await zip(entries));
    expect(await fetch('./bp.zip')).toMatchObject({
      stack: 'cflinuxfs4',
      version: '1.10',
      filename: 'bp.zip',
    });
    const dir = join(root, 'linked');
    await mkdir(join(dir, 'bin'), { recursive: true });
    await writeFile(join(dir, 'bin/detect'), '');
    await symlink('/etc/hostname', join(dir, 'VERSION'));
    expect((await fetch('./linked')).version).toBeUndefined();
  });
});

describe('directories', () => {
  it('are copied without .git and without the export of another build', async () => {
    const dir = join(root, 'bp');
    await mkdir(join(dir, 'bin'), { recursive: true });
    await mkdir(join(dir, '.git'));
    await writeFile(join(dir, 'bin/detect'), '#!/bin/sh\n');
    await chmod(join(dir, 'bin/detect'), 0o755);
    await writeFile(join(dir, 'export'), 'export STALE=1\n');
    const fetched = await fetch('./bp');
    expect(await readdir(fetched.dir)).toEqual(['bin']);
    await writeFile(join(dir, 'bin/detect'), 'changed later');
    expect(await readFile(join(fetched.dir, 'bin/detect'), 'utf8')).toBe('#!/bin/sh\n');
  });

  it('can’t have a directory of the host taken for their only one by a link', async () => {
    await mkdir(join(root, 'host/bin'), { recursive: true });
    await writeFile(join(root, 'host/VERSION'), 'stolen');
    await mkdir(join(root, 'bp'));
    await symlink(join(root, 'host'), join(root, 'bp/inner'));
    await expect(fetch('./bp')).rejects.toMatchObject({ code: 'BUILDPACK_MALFORMED' });
  });

  it('can’t be read by other users of the host in the store', async () => {
    await mkdir(join(root, 'bp/bin'), { recursive: true });
    await writeFile(join(root, 'bp/bin/detect'), '#!/bin/sh\n');
    const fetched = await fetch('./bp');
    expect((await stat(join(fetched.dir, '..'))).mode & 0o077).toBe(0);
  });
});

describe('downloads', () => {
  let server: Server;
  let requests: IncomingMessage[];
  let answer: (request: IncomingMessage, response: ServerResponse, count: number) => void;
  let base: string;
  let body: Buffer;
  let sha256: string;

  beforeEach(async () => {
    body = await zip([DETECT, { path: 'big', content: 'x'.repeat(200_000) }]);
    sha256 = createHash('sha256').update(body).digest('hex');
    requests = [];
    answer = (_request, response) => void response.writeHead(200, { etag: '"1"' }).end(body);
    server = createServer((request, response) => {
      requests.push(request);
      answer(request, response, requests.length);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = server.address();
    base = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Waits until so many bytes of the download are in the cache. */
  async function received(bytes: number): Promise<void> {
    for (;;) {
      const [name = ''] = await readdir(join(root, 'downloads')).catch(() => []);
      const part = await stat(join(root, 'downloads', name, 'part')).catch(() => undefined);
      if ((part?.size ?? 0) >= bytes) return;
    }
  }

  it('are kept and asked for again only by their ETag', async () => {
    answer = (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"' }).end(body);
    };
    const [first, second] = [await fetch(`${base}/bp.zip`), await fetch(`${base}/bp.zip`)];
    expect(second.lease.digest).toBe(first.lease.digest);
    expect(requests).toHaveLength(2);
  });

  it.each([
    ['an ETag that can stand in no header', (text: string) => text.replace('\\"1\\"', '\\u0001')],
    ['half of it', (text: string) => text.slice(0, text.length / 2)],
  ])('are fetched again when what is known of one is damaged: %s', async (_, damage) => {
    const first = await fetch(`${base}/bp.zip`);
    const [name = ''] = await readdir(join(root, 'downloads'));
    const facts = join(root, 'downloads', name, 'body.json');
    const before = await readFile(facts, 'utf8');
    await writeFile(facts, damage(before));
    expect(await readFile(facts, 'utf8')).not.toBe(before);
    expect((await fetch(`${base}/bp.zip`)).lease.digest).toBe(first.lease.digest);
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, undefined]);
    expect(await readFile(facts, 'utf8')).toBe(before);
  });

  it('by digest are not asked for again at all', async () => {
    await fetch(`${base}/bp.zip#sha256=${sha256}`);
    await fetch(`${base}/bp.zip#sha256=${sha256}`);
    expect(requests).toHaveLength(1);
  });

  it('go on where the connection broke', async () => {
    answer = (request, response, count) => {
      if (count === 1) {
        response.writeHead(200, { etag: '"1"', 'content-length': body.length });
        response.write(body.subarray(0, 1000));
        void received(1000).then(() => response.destroy());
        return;
      }
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
      response.writeHead(206, { etag: '"1"', 'content-length': body.length - from }).end(body.subarray(from));
    };
    await fetch(`${base}/bp.zip`);
    expect(requests).toHaveLength(2);
    expect(requests[1]?.headers).toMatchObject({ range: 'bytes=1000-', 'if-range': '"1"' });
  });

  it('start over when the file changed in between', async () => {
    answer = (_request, response, count) => {
      if (count > 1) return void response.writeHead(200, { etag: '"2"' }).end(body);
      response.writeHead(200, { etag: '"1"', 'content-length': 5000 });
      response.write('old old old', () => response.destroy());
    };
    await fetch(`${base}/bp.zip#sha256=${sha256}`);
    expect(requests).toHaveLength(2);
  });

  it('are tried again after a 503 and given up after four times', async () => {
    answer = (_request, response) => void response.writeHead(503).end();
    await expect(fetch(`${base}/bp.zip`)).rejects.toMatchObject({
      code: 'BUILDPACK_DOWNLOAD_FAILED',
      details: { attempts: 4 },
    });
    expect(requests).toHaveLength(4);
  });

  it('that are not there fail at once, and name no password', async () => {
    answer = (_request, response) => void response.writeHead(404).end();
    const url = `${base.replace('http://', 'http://me:hunter22@')}/bp.zip`;
    const error: unknown = await fetch(url).catch((it: unknown) => it);
    expect(error).toMatchObject({ code: 'BUILDPACK_DOWNLOAD_FAILED', details: { status: 404 } });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:hunter22').toString('base64')}`);
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter22');
  });

  it('#55 of an unreachable host say so', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(fetch(`${base}/bp.zip`)).rejects.toMatchObject({ code: 'BUILDPACK_DOWNLOAD_FAILED' });
  });

  it('with another digest are thrown away', async () => {
    await expect(fetch(`${base}/bp.zip#sha256=${'1'.repeat(64)}`)).rejects.toMatchObject({
      code: 'BUILDPACK_CHECKSUM_MISMATCH',
      details: { actual: sha256 },
    });
    const [download = ''] = await readdir(join(root, 'downloads'));
    expect(await readdir(join(root, 'downloads', download))).toEqual(['part.json']);
  });
});

describe('git', () => {
  const AUTHOR = ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always'];
  let repository: string;
  let commits: string[];

  function git(dir: string, ...args: readonly string[]): string {
    return execFileSync('git', [...AUTHOR, '-C', dir, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  }

  async function commit(dir: string, content: string): Promise<string> {
    await mkdir(join(dir, 'bin'), { recursive: true });
    await writeFile(join(dir, 'bin/detect'), content);
    await chmod(join(dir, 'bin/detect'), 0o755);
    git(dir, 'add', '.');
    git(dir, 'commit', '-qm', content);
    return git(dir, 'rev-parse', 'HEAD');
  }

  beforeEach(async () => {
    const sub = join(root, 'sub');
    await mkdir(sub);
    git(sub, 'init', '-q', '-b', 'main');
    await commit(sub, 'of the submodule');
    repository = join(root, 'repository');
    await mkdir(repository);
    git(repository, 'init', '-q', '-b', 'main');
    commits = [await commit(repository, 'one')];
    git(repository, 'tag', 'lightweight');
    git(repository, 'submodule', '--quiet', 'add', `file://${sub}`, 'vendored');
    commits.push(await commit(repository, 'two'));
    git(repository, 'branch', 'side');
    commits.push(await commit(repository, 'three'));
  });

  const content = async (reference: string): Promise<string> => {
    const { dir } = await fetch(reference);
    return await readFile(join(dir, 'bin/detect'), 'utf8');
  };

  it('#36 takes the default branch, a branch, a tag, a commit and a short one', async () => {
    const url = `file://${repository}`;
    expect(await content(url)).toBe('three');
    expect(await content(`${url}#side`)).toBe('two');
    expect(await content(`${url}#lightweight`)).toBe('one');
    expect(await content(`${url}#${commits[1]}`)).toBe('two');
    expect(await content(`${url}#${commits[0]?.slice(0, 9)}`)).toBe('one');
  });

  it('#36 brings submodules, leaves git data out and records the commit', async () => {
    const { dir, origin, version } = await fetch(`file://${repository}`);
    expect(await readFile(join(dir, 'vendored/bin/detect'), 'utf8')).toBe('of the submodule');
    expect((await readdir(dir)).sort()).toEqual(['.gitmodules', 'bin', 'vendored']);
    expect(await readdir(join(dir, 'vendored'))).toEqual(['bin']);
    expect(origin).toEqual({ kind: 'git', commit: commits[2] });
    expect(version).toBe(commits[2]?.slice(0, 12));
  });

  it('asks nobody for a commit that it has', async () => {
    const reference = `file://${repository}#${commits[1]}`;
    const first = await fetch(reference);
    await rm(repository, { recursive: true });
    expect((await fetch(reference)).lease.digest).toBe(first.lease.digest);
  });

  it('brings a commit again whose tree that was kept is damaged', async () => {
    const reference = `file://${repository}#${commits[1]}`;
    const { dir } = await fetch(reference);
    await writeFile(join(dir, 'bin/detect'), 'twa');
    expect(await content(reference)).toBe('two');
  });

  it('#37 says what git said of a repository or a branch that is not there', async () => {
    await expect(fetch('file:///nowhere/at/all.git')).rejects.toMatchObject({
      code: 'BUILDPACK_DOWNLOAD_FAILED',
      message: expect.stringContaining('/nowhere/at/all.git'),
    });
    await expect(fetch(`file://${repository}#no-such-branch`)).rejects.toMatchObject({
      message: expect.stringContaining('no-such-branch'),
    });
  });

  it('#36 falls back to a full clone where the transport knows no depth, and keeps local directories out of reach', async () => {
    git(repository, 'update-server-info');
    const seen: string[] = [];
    const server = createServer((request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      seen.push(path);
      readFile(join(repository, '.git', path.replace('/repo', ''))).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = server.address();
    const url =
      typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}/repo` : '';
    try {
      expect(await content(`${url}#lightweight`)).toBe('one');
      // A repository from the network that names a directory of this machine as its submodule.
      await expect(fetch(url)).rejects.toMatchObject({
        code: 'BUILDPACK_DOWNLOAD_FAILED',
        message: expect.stringMatching(/transport 'file' not allowed/),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
