import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { readLeases } from '../../src/blobs/lease.ts';
import { openBlobStore } from '../../src/blobs/open.ts';
import { newGuid } from '../../src/ids.ts';
import { createPackage, type PackageResult } from '../../src/package/create.ts';
import { SMALL_BYTES } from '../../src/package/fingerprint.ts';
import { openPackage } from '../../src/package/open.ts';
import { receivePackage } from '../../src/package/receive.ts';
import { LARGE_BYTES } from '../../src/pool/pack-writer.ts';
import { openSource } from '../../src/source/open.ts';
import { contentsOf, namesOf, signal, writeZip } from './support.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const old = new Date('2020-01-01T00:00:00Z');

let root: string;
let app: string;
let store: BlobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-package-'));
  app = join(root, 'app');
  store = await openBlobStore(join(root, 'store'));
  await mkdir(join(app, 'lib/empty'), { recursive: true });
  await writeFile(join(app, 'index.js'), 'main');
  await writeFile(join(app, 'lib/a.js'), 'aaaa');
  await writeFile(join(app, 'lib/copy-of-a.js'), 'aaaa');
  await writeFile(join(app, 'run.sh'), '#!/bin/sh\n');
  await writeFile(join(app, 'nothing'), '');
  await chmod(join(app, 'run.sh'), 0o755);
  await symlink('lib/a.js', join(app, 'link'));
  for (const path of ['index.js', 'lib/a.js', 'lib/copy-of-a.js', 'run.sh', 'nothing']) {
    await utimes(join(app, path), old, old);
  }
  await lutimes(join(app, 'link'), old, old);
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const create = async (options: { statCachePath?: string; tenant?: string } = {}): Promise<PackageResult> =>
  createPackage(await openSource(app), { store, signal, ...options });
const whole = {
  'index.js': '644 main',
  lib: 'dir',
  'lib/a.js': '644 aaaa',
  'lib/copy-of-a.js': '644 aaaa',
  'lib/empty': 'dir',
  link: '-> lib/a.js',
  nothing: '644 ',
  'run.sh': '755 #!/bin/sh\n',
};

describe('creating a package', () => {
  it('keeps files, modes, links and empty directories, and says what happened', async () => {
    const result = await create();
    expect(result).toMatchObject({
      files: 5,
      directories: 2,
      symlinks: 1,
      bytes: 22,
      matchedFiles: 0,
      sentFiles: 5,
    });
    expect(await contentsOf(store, result.guid)).toEqual(whole);
    expect((await openPackage(result.guid, { store, signal })).header).toMatchObject({
      tenant: 'local',
      files: 5,
    });
  });

  it('sends nothing but the listing when nothing changed, and one file when one did', async () => {
    const first = await create();
    const second = await create();
    expect(second).toMatchObject({ matchedFiles: 5, sentFiles: 0, sentBytes: 0 });
    expect(await contentsOf(store, second.guid)).toEqual(whole);
    await writeFile(join(app, 'index.js'), 'changed');
    const third = await create();
    expect(third).toMatchObject({ matchedFiles: 4, sentFiles: 1 });
    expect(await contentsOf(store, third.guid)).toEqual({ ...whole, 'index.js': '644 changed' });
    expect(await contentsOf(store, first.guid)).toEqual(whole);
  });

  it('packages an archive as the directory that it holds', async () => {
    const zip = join(root, 'app.zip');
    await writeZip(zip, {
      'a.txt': { content: 'A' },
      'd/': {},
      'd/b.sh': { content: 'B', mode: 0o755 },
      l: { link: 'a.txt' },
    });
    const result = await createPackage(await openSource(zip), { store, signal });
    expect(await contentsOf(store, result.guid)).toMatchObject({
      'a.txt': '644 A',
      'd/b.sh': '755 B',
      l: '-> a.txt',
    });
    const again = await createPackage(await openSource(zip), { store, signal });
    expect(again).toMatchObject({ sentFiles: 0 });
  });

  it.each([
    ['vanishes', async () => undefined],
    ['becomes a directory', (path: string) => mkdir(path)],
    ['becomes a pipe', async (path: string) => void execFileSync('mkfifo', [path])],
    ['becomes a link', (path: string) => symlink(join(app, 'run.sh'), path)],
    ['grows', (path: string) => writeFile(path, Buffer.alloc(LARGE_BYTES + 9))],
  ])('says that a file changed which %s after it was read, whatever its size', async (_how, become) => {
    for (const size of [10, SMALL_BYTES + 1, LARGE_BYTES]) {
      const path = join(app, 'index.js');
      await rm(path, { recursive: true, force: true });
      await writeFile(path, randomBytes(size));
      const names = store.names.bind(store);
      let isMatching = false;
      store.names = async function* (kind, options) {
        if (kind === 'resources' && !isMatching) {
          isMatching = true;
          await rm(path);
          await become(path);
        }
        yield* names(kind, options);
      };
      await expect(create()).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        details: { path: 'index.js' },
      });
    }
  });

  it('gives equal packages equal listings but for guid and date', async () => {
    const [one, two] = [await create(), await create()];
    const lines = async ({ guid }: PackageResult): Promise<string[]> => {
      const { fileURLToPath } = await import('node:url');
      const text = await readFile(fileURLToPath(store.location({ kind: 'packages', name: guid })), 'utf8');
      return text.split('\n').slice(1);
    };
    expect(await lines(one)).toEqual(await lines(two));
  });

  it('keeps tenants apart', async () => {
    await create({ tenant: 'space-a' });
    expect(await create({ tenant: 'space-b' })).toMatchObject({ matchedFiles: 0, sentFiles: 5 });
  });

  it('leaves no lease and no temporary file', async () => {
    await create();
    expect((await namesOf(store, 'packages')).filter((name) => name.startsWith('leases/'))).toEqual([]);
    const entries = await readdir(join(root, 'store/.tmp'), { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile())).toEqual([]);
  });

  it('works when two clients push the same new files at once', async () => {
    const results = await Promise.all([create(), create(), create()]);
    for (const { guid } of results) expect(await contentsOf(store, guid)).toEqual(whole);
  });

  it('says that there is no such package', async () => {
    await expect(openPackage(newGuid(), { store, signal })).rejects.toMatchObject({
      code: 'PACKAGE_NOT_FOUND',
    });
  });

  it('fails cleanly when a content is gone, and heals with the next upload', async () => {
    const { guid } = await create();
    for (const name of await namesOf(store, 'resources')) {
      if (name.includes('/packs/')) await store.delete({ kind: 'resources', name }, { signal });
    }
    await expect(contentsOf(store, guid)).rejects.toMatchObject({ code: 'RESOURCE_MISSING' });
    const again = await create();
    expect(again.sentFiles).toBe(5);
    expect(await contentsOf(store, again.guid)).toEqual(whole);
  });
});

describe('the stat cache', () => {
  let statCachePath: string;
  /** ctime can't be set back, so the caller's clock is what makes files old. */
  const later = async <T>(step: () => Promise<T>): Promise<T> => {
    const now = Date.now;
    Date.now = () => now() + 10_000;
    return step().finally(() => {
      Date.now = now;
    });
  };
  beforeEach(() => {
    statCachePath = join(root, 'cache/app.stat');
  });

  it('spares reading files that did not change', async () => {
    expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0 });
    const second = await later(() => create({ statCachePath }));
    expect(second).toMatchObject({ unreadFiles: 5, sentFiles: 0 });
    expect(await contentsOf(store, second.guid)).toEqual(whole);
  });

  it('notices a change that keeps size and mtime', async () => {
    await later(() => create({ statCachePath }));
    await writeFile(join(app, 'index.js'), 'MAIN');
    await utimes(join(app, 'index.js'), old, old);
    const second = await later(() => create({ statCachePath }));
    expect(second).toMatchObject({ unreadFiles: 4, sentFiles: 1 });
    expect((await contentsOf(store, second.guid))['index.js']).toBe('644 MAIN');
  });

  it('does not trust files that were changed just before they were read', async () => {
    await create({ statCachePath });
    expect(await create({ statCachePath })).toMatchObject({ unreadFiles: 0 });
  });

  it('changes nothing but time when it is deleted or damaged', async () => {
    await later(() => create({ statCachePath }));
    const whole = await readFile(statCachePath);
    const forged = Buffer.from(whole);
    forged.write(sha1('evil'), whole.indexOf(sha1('main'), 0, 'hex'), 20, 'hex');
    const swapped = Buffer.concat([whole.subarray(0, 16), whole.subarray(100), whole.subarray(16, 100)]);
    for (const damaged of [
      Buffer.alloc(0),
      Buffer.from('nonsense'),
      whole.subarray(0, -30),
      forged,
      swapped,
    ]) {
      expect(damaged).not.toEqual(whole);
      await writeFile(statCachePath, damaged);
      expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0, sentFiles: 0 });
    }
    await rm(statCachePath);
    expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0 });
    expect((await stat(statCachePath)).mode & 0o777).toBe(0o600);
  });
});

describe('receiving an upload', () => {
  let zip: string;
  beforeEach(async () => {
    zip = join(root, 'bits.zip');
    await create();
  });
  const matched = (path: string, text: string, mode?: string) => ({
    path,
    ...(mode === undefined ? {} : { mode }),
    checksum: { value: sha1(text) },
    size_in_bytes: text.length,
  });

  it('merges bits and matched resources, keeping modes, links and empty directories', async () => {
    await writeZip(zip, {
      'new.js': { content: 'new' },
      'run.sh': { content: 'old', mode: 0o700 },
      'd/': {},
      l: { link: 'new.js' },
    });
    const resources = [
      matched('lib/a.js', 'aaaa', '640'),
      matched('run.sh', '#!/bin/sh\n', '100755'),
      matched('x', 'main'),
    ];
    const { guid } = await receivePackage({ zipPath: zip, resources }, { store, signal });
    expect(await contentsOf(store, guid)).toEqual({
      'lib/a.js': '640 aaaa',
      'new.js': '644 new',
      'run.sh': '755 #!/bin/sh\n',
      d: 'dir',
      l: '-> new.js',
      x: '744 main',
    });
  });

  it('makes a package of matched resources only, in the v2 form too', async () => {
    const resources = [{ fn: 'a', sha1: sha1('main'), size: 4, mode: '0644' }];
    const { guid } = await receivePackage({ resources }, { store, signal });
    expect(await contentsOf(store, guid)).toEqual({ a: '644 main' });
  });

  it('keeps what an ignore file would leave out: the client has applied it', async () => {
    await writeZip(zip, {
      '.cfignore': { content: '*' },
      'manifest.yml': { content: 'm' },
      '.git/x': { content: 'g' },
    });
    const { files } = await receivePackage({ zipPath: zip }, { store, signal });
    expect(files).toBe(3);
  });

  it('gives nothing for a digest whose content the tenant never sent', async () => {
    const upload = { resources: [matched('stolen', 'main')] };
    await expect(receivePackage(upload, { store, signal, tenant: 'stranger' })).rejects.toMatchObject({
      code: 'RESOURCE_MISSING',
      details: { paths: ['stolen'] },
    });
    const wrongSize = { resources: [{ ...matched('stolen', 'main'), size_in_bytes: 5 }] };
    await expect(receivePackage(wrongSize, { store, signal })).rejects.toMatchObject({
      code: 'RESOURCE_MISSING',
    });
  });

  it('holds what matched from before it is looked up, so that no collection takes it meanwhile', async () => {
    const leasesThen: number[] = [];
    const names = store.names.bind(store);
    store.names = async function* (kind, options) {
      if (kind === 'resources') leasesThen.push((await readLeases(store, { signal })).length);
      yield* names(kind, options);
    };
    await receivePackage({ resources: [matched('a', 'main')] }, { store, signal });
    expect(leasesThen.length).toBeGreaterThan(0);
    expect(leasesThen).not.toContain(0);
    expect(await readLeases(store, { signal })).toEqual([]);
  });

  it.each([
    ['an absolute path', { path: '/etc/passwd' }, 'SOURCE_UNSAFE'],
    ['a path that leaves the app', { path: 'a/../../rootXYZ/f' }, 'SOURCE_UNSAFE'],
    ['a mode without 0600', { mode: '444' }, 'PACKAGE_INVALID'],
    ['a mode that is no octal number', { mode: 'rwx' }, 'PACKAGE_INVALID'],
    ['a digest that is none', { checksum: { value: 'x'.repeat(40) } }, 'PACKAGE_INVALID'],
  ])('refuses %s', async (_name, change, code) => {
    const resources = [{ ...matched('a', 'main', '644'), ...change }];
    await expect(receivePackage({ resources }, { store, signal })).rejects.toMatchObject({ code });
  });

  it('refuses a resource below a link or a file of the zip', async () => {
    await writeZip(zip, { l: { link: '.' }, f: { content: 'x' } });
    for (const path of ['l/a', 'f/a']) {
      const upload = { zipPath: zip, resources: [matched(path, 'main')] };
      await expect(receivePackage(upload, { store, signal })).rejects.toMatchObject({
        code: 'PACKAGE_INVALID',
      });
    }
  });

  it('refuses neither part, a list that is no list, a broken zip and one that is too large', async () => {
    await expect(receivePackage({}, { store, signal })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' });
    await expect(receivePackage({ resources: {} }, { store, signal })).rejects.toMatchObject({
      code: 'PACKAGE_INVALID',
    });
    await writeZip(zip, { a: { content: 'x'.repeat(1_000) } });
    const limits = { maxBytes: 999 };
    await expect(receivePackage({ zipPath: zip }, { store, signal, limits })).rejects.toMatchObject({
      code: 'SOURCE_TOO_LARGE',
    });
    await truncate(zip, 60);
    await expect(receivePackage({ zipPath: zip }, { store, signal })).rejects.toMatchObject({
      code: 'SOURCE_ARCHIVE_INVALID',
    });
  });

  it('removes set-id bits', async () => {
    await writeZip(zip, { s: { content: 's', mode: 0o4755 } });
    const { guid } = await receivePackage(
      { zipPath: zip, resources: [matched('t', 'main', '40000755')] },
      { store, signal },
    );
    expect(await contentsOf(store, guid)).toEqual({ s: '755 s', t: '755 main' });
  });
});
