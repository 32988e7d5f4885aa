import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { LARGE_BYTES, type NewResource } from '../../../src/stores/resource-cache/pack-writer.ts';
import { Pool } from '../../../src/stores/resource-cache/pool.ts';
import { idsOf, readAll, resource, signal, TENANT } from './rig.ts';

describe('the resource pool', () => {
  let root: string;
  let store: BlobStore;
  let pool: Pool;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'stager-pool-'));
    store = await openBlobStore(root);
    pool = new Pool(store, TENANT);
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  const read = (fingerprints: readonly NewResource[]): Promise<Buffer[]> => readAll(store, fingerprints);

  it('knows nothing at first', async () => {
    expect(await pool.match([resource(Buffer.from('x'))], { signal })).toEqual([false]);
    expect(await pool.match([], { signal })).toEqual([]);
  });

  it('gives back what it was given: empty, small, and large contents', async () => {
    const bodies = [
      Buffer.alloc(0),
      Buffer.from('a'),
      randomBytes(70_000),
      randomBytes(LARGE_BYTES + 5),
      randomBytes(9),
    ];
    const resources = bodies.map((bytes) => resource(bytes));
    await pool.add(resources, { signal });
    expect(await pool.match([...resources, resource(Buffer.from('new'))], { signal })).toEqual([
      ...resources.map(() => true),
      false,
    ]);
    const got = await read(resources);
    expect(got.map((bytes, n) => bytes.equals(bodies[n] ?? Buffer.from('?')))).toEqual(
      bodies.map(() => true),
    );
    expect(await idsOf(store, 'packs')).toHaveLength(3);
  });

  it('reads what was stored after the reader was made', async () => {
    const reader = pool.reader({ signal });
    const late = resource(Buffer.from('late'));
    await pool.add([late], { signal });
    const [located] = await pool.locate([late], { signal });
    if (located === undefined) throw new Error('not stored');
    expect((await buffer(reader.open(located))).toString()).toBe('late');
  });

  it('is not fooled by a right sha1 with a wrong size or sha256', async () => {
    const one = resource(Buffer.from('one'));
    await pool.add([one], { signal });
    const other = digestsOf(Buffer.from('two'));
    expect(
      await pool.match(
        [
          { ...one, sizeBytes: 4 },
          { ...one, sha256: other.sha256 },
          { sha1: one.sha1, sizeBytes: 3 },
        ],
        {
          signal,
        },
      ),
    ).toEqual([false, false, true]);
  });

  it('does not match a sha1 that stands for two contents, unless the sha256 is given', async () => {
    const one = resource(Buffer.from('one'));
    const two = resource(Buffer.from('two'));
    await pool.add([one, two], { signal });
    // What a sha1 collision would look like in the index.
    const { columnsOf, writeSegment } = await import('../../../src/stores/resource-cache/segment-writer.ts');
    const [located] = await pool.locate([two], { signal });
    if (located === undefined) throw new Error('not stored');
    const packs = [{ id: located.pack, sizeBytes: 1_000, atMs: 0 }];
    await writeSegment(
      { store, tenant: 'space-1', signal },
      columnsOf([{ ...located, sha1: one.sha1 }], packs),
      { packs },
    );
    const blind = { sha1: one.sha1, sizeBytes: 3 };
    expect(await pool.match([blind, one], { signal })).toEqual([false, true]);
    expect((await pool.locate([blind, one], { signal })).map((found) => found?.sha256)).toEqual([
      undefined,
      one.sha256,
    ]);
  });

  it('keeps tenants apart: the digest of another one’s file gives nothing', async () => {
    const secret = resource(Buffer.from('secret'));
    await pool.add([secret], { signal });
    const stranger = new Pool(store, 'space-2');
    expect(await stranger.match([secret], { signal })).toEqual([false]);
    expect(await stranger.locate([secret], { signal })).toEqual([undefined]);
    expect(() => new Pool(store, '../space-1')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('refuses content that is not what its digests say, and keeps nothing of it', async () => {
    for (const size of [5, LARGE_BYTES]) {
      const lie = {
        ...resource(randomBytes(size), 'lib/lie.js'),
        open: async () => Readable.from([randomBytes(size)]),
      };
      await expect(pool.add([lie], { signal })).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        details: { path: 'lib/lie.js' },
      });
      expect(await pool.match([lie], { signal })).toEqual([false]);
    }
    expect(await idsOf(store, 'packs')).toEqual([]);
  });

  it('stays a constant number of segments however often it is added to, and loses nothing', async () => {
    const all: NewResource[] = [];
    for (let n = 0; n < 24; n++) {
      const some = Array.from({ length: 1 + (n % 5) * 40 }, (_, m) => resource(Buffer.from(`${n}-${m}`)));
      // Half of each is known already: duplicates are merged away.
      await pool.add([...some, ...all.slice(0, some.length)], { signal });
      all.push(...some);
      expect((await pool.snapshot({ signal })).segments.length).toBeLessThanOrEqual(9);
    }
    expect(new Set(await pool.match(all, { signal }))).toEqual(new Set([true]));
    await pool.compact({ signal });
    const { segments } = await pool.snapshot({ signal });
    expect(segments).toHaveLength(1);
    expect(new Set(await pool.match(all, { signal }))).toEqual(new Set([true]));
    expect((await read(all)).map((bytes) => createHash('sha1').update(bytes).digest('hex'))).toEqual(
      all.map(({ sha1 }) => sha1),
    );
  });

  it('finds every entry of an index of many blocks, and nothing else', async () => {
    const resources = Array.from({ length: 9_000 }, (_, n) => resource(Buffer.from(`file ${n}`)));
    await pool.add(resources, { signal });
    const known = resources.filter((_, n) => n % 7 === 0);
    const unknown = Array.from({ length: 500 }, (_, n) => resource(Buffer.from(`other ${n}`)));
    expect(await pool.match([...known, ...unknown], { signal })).toEqual([
      ...known.map(() => true),
      ...unknown.map(() => false),
    ]);
    expect(
      (await pool.locate(resources, { signal })).every((found, n) => found?.sha256 === resources[n]?.sha256),
    ).toBe(true);
  });

  it('asks the store a constant number of times, however much is known and asked for', async () => {
    const resources = Array.from({ length: 20_000 }, (_, n) => resource(Buffer.from(`file ${n}`)));
    for (const part of [resources.slice(0, 15_000), resources.slice(15_000)])
      await pool.add(part, { signal });
    const calls: string[] = [];
    const [readRange, names] = [store.readRange.bind(store), store.names.bind(store)];
    store.readRange = (...args) => {
      calls.push('range');
      return readRange(...args);
    };
    store.names = (...args) => {
      calls.push('names');
      return names(...args);
    };
    for (const asked of [1, 100, 20_000]) {
      calls.length = 0;
      const known = await pool.match(resources.slice(0, asked), { signal });
      expect(new Set(known)).toEqual(new Set([true]));
      // One listing; of each of the two segments the tail, and at most eight ranges of keys.
      expect(calls.filter((call) => call === 'names')).toHaveLength(1);
      expect(calls.length).toBeLessThanOrEqual(1 + 2 * 9);
    }
  });

  it('works for many writers at once', async () => {
    const shared = Array.from({ length: 50 }, (_, n) => resource(Buffer.from(`shared ${n}`)));
    const writers = Array.from({ length: 12 }, (_, w) => [...shared, resource(Buffer.from(`own ${w}`))]);
    await Promise.all(writers.map((some) => new Pool(store, 'space-1').add(some, { signal })));
    const all = writers.flat();
    expect(new Set(await pool.match(all, { signal }))).toEqual(new Set([true]));
    await pool.compact({ signal });
    expect(new Set(await pool.match(all, { signal }))).toEqual(new Set([true]));
  });

  it('reports a vanished pack as a missing resource, and matches it no more once told', async () => {
    const gone = resource(Buffer.from('gone'));
    const kept = resource(randomBytes(LARGE_BYTES));
    await pool.add([gone, kept], { signal });
    const [located] = await pool.locate([gone], { signal });
    if (located === undefined) throw new Error('not stored');
    await store.delete({ kind: 'resources', name: `space-1/packs/${located.pack}` }, { signal });
    await expect(read([gone])).rejects.toMatchObject({
      code: 'RESOURCE_MISSING',
      message: expect.stringContaining(`/packs/${located.pack}`),
    });
    await pool.retire([located.pack], { signal, gone: true });
    expect(await pool.match([gone, kept], { signal })).toEqual([false, true]);
    await pool.add([gone], { signal });
    await pool.compact({ signal });
    expect((await read([gone]))[0]?.toString()).toBe('gone');
  });

  it('reports every flipped byte of an index and of a pack that a reader meets', async () => {
    const resources = Array.from({ length: 40 }, (_, n) => resource(Buffer.from(`file ${n}`)));
    await pool.add(resources, { signal });
    const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile() && entry.parentPath.includes('/.data/'),
    );
    for (const entry of files) {
      const path = join(entry.parentPath, entry.name);
      const bytes = await readFile(path);
      for (let n = 0; n < 60; n++) {
        const at = Math.floor((n * bytes.length) / 60);
        const broken = Buffer.from(bytes);
        broken[at] = (broken[at] ?? 0) ^ 0x10;
        await writeFile(path, broken);
        // A pack's directory is read only to make an index again, so a flip there may go unseen; it is never used.
        const result = await read(resources).catch((error: unknown) => error);
        if (Array.isArray(result)) expect(result.map(String)).toEqual(resources.map((_, m) => `file ${m}`));
        else expect(result).toMatchObject({ code: 'BLOB_CORRUPT' });
      }
      await writeFile(path, bytes);
    }
    expect(files).toHaveLength(2);
  });
});
