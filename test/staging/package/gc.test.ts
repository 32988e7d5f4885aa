import { lutimes, mkdir, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { packageKey } from '../../../src/staging/package/listing.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { diskUsage, verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { readLeases, withLease } from '../../../src/stores/blobs/lease.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKind, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import type { Guid } from '../../../src/words/ids.ts';
import { contentsOf, namesOf, signal } from './support.ts';

let root: string;
let store: BlobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-gc-'));
  store = await openBlobStore(join(root, 'store'));
  await mkdir(join(root, 'app'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const create = async (content: string, app = 'one'): Promise<Guid> => {
  await writeFile(join(root, 'app/file'), content);
  return (await storePackage(await openSource(join(root, 'app')), { store, signal, app })).guid;
};
const gc = (options = {}) => collectGarbage(store, { signal, graceMs: 0, keepPackages: 1, ...options });

/** The store, with something that happens before each call of a method for a kind. */
function preceded(method: 'get' | 'names', kind: BlobKind, step: () => Promise<void>): BlobStore {
  return {
    url: store.url,
    location: (key) => store.location(key),
    put: (key, body, options) => store.put(key, body, options),
    putFile: (key, path, options) => store.putFile(key, path, options),
    stat: (key, options) => store.stat(key, options),
    delete: (key, options) => store.delete(key, options),
    list: (each, options) => store.list(each, options),
    readRange: (key, options) => store.readRange(key, options),
    sweep: (options) => store.sweep(options),
    probe: (options) => store.probe(options),
    demandWhole: (options) => store.demandWhole(options),
    now: (options) => store.now(options),
    get: async (key, options) => {
      if (method === 'get' && key.kind === kind) await step();
      return store.get(key, options);
    },
    names: async function* (each, options) {
      if (method === 'names' && each === kind) await step();
      yield* store.names(each, options);
    },
  };
}

describe('garbage collection', () => {
  it('keeps the newest packages of each app, and every content that they need', async () => {
    const [old, kept, other] = [await create('old'), await create('new'), await create('other', 'two')];
    const dry = await gc({ dryRun: true });
    expect(dry.packages).toEqual([packageKey(old)]);
    expect(await contentsOf(store, old)).toEqual({ file: '644 old' });
    expect(await gc()).toMatchObject({ packages: [packageKey(old)], condemnedPacks: 1, deletedPacks: 0 });
    expect(await gc()).toMatchObject({ packages: [], condemnedPacks: 0, deletedPacks: 1 });
    expect(await gc()).toMatchObject({ packages: [], condemnedPacks: 0, deletedPacks: 0 });
    expect(await contentsOf(store, kept)).toEqual({ file: '644 new' });
    expect(await contentsOf(store, other)).toEqual({ file: '644 other' });
    expect((await namesOf(store, 'resources')).filter((name) => name.includes('/packs/'))).toHaveLength(2);
  });

  it('removes nothing that is young', async () => {
    await create('old');
    await create('new');
    expect(await gc({ graceMs: 60_000 })).toMatchObject({ packages: [], condemnedPacks: 0, deletedPacks: 0 });
  });

  it('sends a content again that was condemned, and never takes it from the new package', async () => {
    await create('one');
    await create('two');
    await gc();
    const again = await create('one');
    await gc();
    await gc();
    expect(await contentsOf(store, again)).toEqual({ file: '644 one' });
  });

  it('deletes no content while an upload that may have matched it is under way', async () => {
    const one = await create('one');
    await create('two');
    await store.delete(packageKey(one), { signal });
    await withLease(store, { purpose: 'a slow upload', holds: [], signal }, async () => {
      expect(await gc()).toMatchObject({ condemnedPacks: 1, leases: ['a slow upload'] });
      expect(await gc()).toMatchObject({ condemnedPacks: 0, deletedPacks: 0 });
    });
    expect(await readLeases(store, { signal })).toEqual([]);
    expect(await gc()).toMatchObject({ deletedPacks: 1 });
  });

  it('deletes no content that an upload matched before a collection beside this one condemned it', async () => {
    const one = await create('one');
    await create('two');
    await store.delete(packageKey(one), { signal });
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let upload: Promise<void> = Promise.resolve();
    // It has looked at leases and packages. Now an upload begins, and somebody else's collection condemns the pack.
    let calls = 0;
    const late = preceded('names', 'resources', async () => {
      if (++calls > 1) return;
      await new Promise<void>((begun) => {
        upload = withLease(store, { purpose: 'an upload', holds: [], signal }, async () => {
          begun();
          await ended;
        });
      });
      expect(await gc()).toMatchObject({ condemnedPacks: 1, deletedPacks: 0 });
    });
    const report = await collectGarbage(late, { signal, graceMs: 0, keepPackages: 1 });
    end();
    await upload;
    expect(report).toMatchObject({ deletedPacks: 0 });
    expect(await gc()).toMatchObject({ deletedPacks: 1 });
  });

  it('keeps a package that a staging began to hold while listings were read', async () => {
    const old = await create('old');
    await create('new');
    let end = (): void => undefined;
    let staging: Promise<void> = Promise.resolve();
    let reads = 0;
    // The first two reads are of the headers; the third one gathers what the newer package needs.
    const slow = preceded('get', 'packages', async () => {
      if (++reads !== 3) return;
      await new Promise<void>((begun) => {
        staging = withLease(store, { purpose: 'a staging', holds: [packageKey(old)], signal }, async () => {
          begun();
          await new Promise<void>((resolve) => {
            end = resolve;
          });
        });
      });
    });
    const report = await collectGarbage(slow, { signal, graceMs: 0, keepPackages: 1 });
    end();
    await staging;
    expect(report).toMatchObject({ packages: [], condemnedPacks: 0 });
    expect(await contentsOf(store, old)).toEqual({ file: '644 old' });
  });

  it('goes on when a package is deleted while its listing is read', async () => {
    const old = await create('old');
    await create('new', 'two');
    const racing = preceded('get', 'packages', async () => store.delete(packageKey(old), { signal }));
    expect(await collectGarbage(racing, { signal, graceMs: 0 })).toMatchObject({ packages: [] });
  });

  it('does not take a lease for one that cannot be read when its holder has just let it go', async () => {
    let end = (): void => undefined;
    const holding = new Promise<void>((resolve) => {
      end = resolve;
    });
    const upload = withLease(store, { purpose: 'an upload', holds: [], signal }, () => holding);
    while ((await namesOf(store, 'packages')).length === 0);
    const late = preceded('get', 'packages', async () => {
      end();
      await upload;
    });
    expect(await readLeases(late, { signal })).toEqual([]);
  });

  it('keeps a package that a running staging holds', async () => {
    const staged = await create('one');
    const other = await create('two');
    await create('three');
    const hourAgo = Date.now() / 1000 - 3_600;
    for (const guid of [staged, other])
      await lutimes(fileURLToPath(store.location(packageKey(guid))), hourAgo, hourAgo);
    const holds = [packageKey(staged)];
    await withLease(store, { purpose: 'a staging', holds, signal }, async () => {
      expect(await gc()).toMatchObject({ packages: [packageKey(other)] });
    });
    expect(await gc()).toMatchObject({ packages: [packageKey(staged)] });
  });

  it('keeps what came after a running staging began, which may be its own', async () => {
    const body = Readable.from([Buffer.from('droplet')], { objectMode: false });
    const droplet = { kind: 'droplets', name: 'app/1' } as const;
    const none = { keepPackages: 0, keepDroplets: 0 };
    const dropletOwner = async () => ({ app: 'one', keep: false });
    await withLease(store, { purpose: 'a staging', holds: [], signal }, async () => {
      const made = await create('one');
      await store.put(droplet, body, { contentType: 'application/gzip', signal });
      for (let n = 0; n < 3; n++) await gc({ ...none, dropletOwner });
      expect(await contentsOf(store, made)).toEqual({ file: '644 one' });
      expect(await store.stat(droplet, { signal })).toMatchObject({ sizeBytes: 7 });
    });
    expect(await gc({ ...none, dropletOwner })).toMatchObject({ droplets: [droplet], packages: [{}] });
  });

  it('keeps the newest droplets of each app, and those that its owner names', async () => {
    const put = async (name: string): Promise<void> => {
      const body = Readable.from([Buffer.from(name)], { objectMode: false });
      await store.put({ kind: 'droplets', name }, body, { contentType: 'application/gzip', signal });
    };
    for (const name of ['current/1', 'a/1', 'a/2', 'b/1', 'unknown/1']) await put(name);
    const dropletOwner = async (name: string) =>
      name.startsWith('unknown')
        ? undefined
        : { app: name.split('/')[0] ?? '', keep: name.startsWith('current') };
    const report = await gc({ keepDroplets: 1, dropletOwner });
    expect(report.droplets).toHaveLength(1);
    expect((await namesOf(store, 'droplets')).filter((name) => name.startsWith('a/'))).toHaveLength(1);
    expect(await namesOf(store, 'droplets')).toEqual(
      expect.arrayContaining(['current/1', 'b/1', 'unknown/1']),
    );
  });

  it('removes packs whose writer died before it made them known', async () => {
    const name = `local/packs/${'0'.repeat(24)}`;
    const body = Readable.from([Buffer.from('half an upload')], { objectMode: false });
    await store.put({ kind: 'resources', name }, body, { contentType: 'x/y', signal });
    expect(await gc()).toMatchObject({ condemnedPacks: 1 });
    expect(await gc()).toMatchObject({ deletedPacks: 1 });
    expect((await namesOf(store, 'resources')).filter((found) => found.includes('/packs/'))).toEqual([]);
  });

  it('removes nothing when a listing cannot be read', async () => {
    const [broken] = [await create('one'), await create('two')];
    await truncate(await realpath(fileURLToPath(store.location(packageKey(broken)))), 20);
    await expect(gc({ keepPackages: 5 })).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
    const { damaged, checked } = await verifyBlobs(store, { signal });
    expect(damaged.map(({ key }) => key)).toEqual([packageKey(broken)]);
    expect(checked).toBe(6);
    expect((await diskUsage(store, { signal })).find(({ kind }) => kind === 'packages')?.blobs).toBe(2);
  });
});
