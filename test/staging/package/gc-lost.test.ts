/** Garbage collection over a store of which something can't be seen, or whose machine's clock is wrong. */
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { openPackage } from '../../../src/staging/package/open.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { withLease } from '../../../src/stores/blobs/lease.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { markServed } from '../../../src/stores/blobs/served.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { streamOf } from '../../stores/blobs/contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';
const DAY_MS = 86_400_000;
const now = Date.now;

let root: string;
let store: BlobStore;
const at = (...path: readonly string[]): string => join(root, 'blobs', ...path);
const droplet = (): BlobKey => ({ kind: 'droplets', name: `${newGuid()}/${newGuid()}` });
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-gc-lost-'));
  await mkdir(join(root, 'app'));
  store = await openBlobStore(at());
});
afterEach(async () => {
  Date.now = now;
  await rm(root, { recursive: true });
});

const gc = (options = {}) => collectGarbage(store, { signal, graceMs: 0, keepPackages: 1, ...options });
async function create(content: string): Promise<Guid> {
  await writeFile(join(root, 'app/file'), content);
  return (await storePackage(await openSource(join(root, 'app')), { store, signal, app: 'a' })).guid;
}
async function dataFiles(): Promise<number> {
  const entries = await readdir(at('.data'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
async function fill(): Promise<number> {
  await create('one');
  for (const kind of ['droplets', 'buildpack_cache'] as const)
    await store.put({ ...droplet(), kind }, streamOf(Buffer.from(kind)), { contentType, signal });
  return dataFiles();
}

describe('a store of which a part is out of sight', () => {
  const kinds = ['droplets', 'packages', 'resources', 'buildpack_cache'];
  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ['gone', async () => undefined],
    ['a file', async (path) => writeFile(path, '')],
    ['a link that leads nowhere', async (path) => symlink('/nowhere', path)],
    ['an empty directory, as a mount point without its disk is', async (path) => mkdir(path)],
  ];
  const cases = kinds.flatMap((kind) => damages.map(([name, damage]) => ({ kind, name, damage })));

  it.each(cases)('loses nothing while $kind is $name, and verify says so', async ({ kind, damage }) => {
    const before = await fill();
    await rename(at(kind), join(root, 'aside'));
    await damage(at(kind));
    // As a new process sees it.
    store = await openBlobStore(at());
    const wanted = { code: 'BLOBSTORE_UNAVAILABLE', message: expect.stringContaining(at(kind)) };
    await expect(gc()).rejects.toMatchObject(wanted);
    await expect(store.sweep({ signal, minAgeMs: 0 })).rejects.toMatchObject(wanted);
    await expect(verifyBlobs(store, { signal })).rejects.toMatchObject(wanted);
    expect(await dataFiles()).toBe(before);
    await rm(at(kind), { recursive: true, force: true });
    await rename(join(root, 'aside'), at(kind));
    expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
    await gc();
    expect(await dataFiles()).toBe(before);
  });

  it('is not taken for an empty one when nothing of it is there', async () => {
    const wanted = {
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('there is no blob store'),
    };
    await expect(gc()).rejects.toMatchObject(wanted);
    await mkdir(at());
    await expect(gc()).rejects.toMatchObject(wanted);
    await expect(verifyBlobs(store, { signal })).rejects.toMatchObject(wanted);
  });

  it('keeps all data in the first collection of a store that an older stager wrote', async () => {
    const before = await fill();
    await rm(at('.stager'), { recursive: true });
    for (const kind of kinds) await rm(at(kind, '.stager'));
    await rm(at('droplets'), { recursive: true });
    await gc();
    expect(await dataFiles()).toBe(before);
    expect(await readdir(at('.stager'))).toContain('store.json');
  });

  it('removes nothing from the store of a server, whose database knows what is needed', async () => {
    for (const content of ['one', 'two', 'three']) await create(content);
    const before = (await readdir(at('packages'), { recursive: true })).length;
    await markServed(store, signal);
    await expect(gc({ keepPackages: 0 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      next: expect.stringContaining('stager blobs rm packages/served/database'),
    });
    expect((await readdir(at('packages'), { recursive: true })).length).toBeGreaterThan(before);
    await store.delete({ kind: 'packages', name: 'served/database' }, { signal });
    expect(await gc()).toMatchObject({ packages: [{ kind: 'packages' }, { kind: 'packages' }] });
  });

  it('is refused inside another one', async () => {
    await fill();
    store = await openBlobStore(at('droplets'));
    const wanted = { code: 'CONFIG_INVALID', message: expect.stringContaining('inside another one') };
    await expect(gc()).rejects.toMatchObject(wanted);
    await expect(
      store.put(droplet(), streamOf(Buffer.from('x')), { contentType, signal }),
    ).rejects.toMatchObject(wanted);
  });
});

describe('a collection whose machine has the wrong time', () => {
  it.each([
    ['a day ahead', DAY_MS],
    ['a day behind', -DAY_MS],
  ])('keeps the package and the lease of a living process: %s', async (_name, offset) => {
    const guid = await create('old');
    await create('new');
    await withLease(
      store,
      { purpose: 'staging', holds: [{ kind: 'packages', name: guid }], signal },
      async () => {
        Date.now = () => now() + offset;
        const report = await gc();
        Date.now = now;
        expect(report).toMatchObject({ packages: [], leases: ['staging'] });
        await openPackage(guid, { store, signal });
      },
    );
  });
});
