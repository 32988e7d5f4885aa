import { createHash } from 'node:crypto';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { receivePackage } from '../../../src/staging/package/receive.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { readLeases } from '../../../src/stores/blobs/lease.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { makeApp } from './app.ts';
import { contentsOf, signal, writeZip } from './support.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const _old = new Date('2020-01-01T00:00:00Z');

let root: string;
let store: BlobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-package-'));
  store = await openBlobStore(join(root, 'store'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

describe('receiving an upload', () => {
  let zip: string;
  beforeEach(async () => {
    zip = join(root, 'bits.zip');
    await makeApp(join(root, 'app'));
    await storePackage(await openSource(join(root, 'app')), { store, signal });
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
    ['a mode that is not an octal number', { mode: 'rwx' }, 'PACKAGE_INVALID'],
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

  it('refuses neither part, a list that is not a list, a broken zip and one that is too large', async () => {
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
