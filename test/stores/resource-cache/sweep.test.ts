import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { KEY_BYTES } from '../../../src/stores/resource-cache/format.ts';
import { type NewResource, PACK_BYTES } from '../../../src/stores/resource-cache/pack-writer.ts';
import { Pool } from '../../../src/stores/resource-cache/pool.ts';
import {
  choosePacks,
  MAX_SMALL_PACKS,
  SMALL_PACK_BYTES,
} from '../../../src/stores/resource-cache/rewrite.ts';
import { type PoolSweepReport, sweepPool } from '../../../src/stores/resource-cache/sweep.ts';
import { contentSet, idsOf, readAll, resource, signal, TENANT } from './rig.ts';

let root: string;
let store: BlobStore;
let pool: Pool;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-sweep-'));
  store = await openBlobStore(root);
  pool = new Pool(store, TENANT);
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const sweep = (needed: readonly NewResource[], options = {}): Promise<PoolSweepReport> =>
  sweepPool(store, TENANT, { signal, graceMs: 0, live: contentSet(needed), ...options });

describe('which packs are rewritten', () => {
  const large = { sizeBytes: PACK_BYTES, live: 1, liveBytes: PACK_BYTES * 0.4 };
  const small = { sizeBytes: SMALL_PACK_BYTES - 1, live: 1, liveBytes: 1 };
  const named = (uses: readonly (typeof large)[]) =>
    uses.map((use, n): readonly [string, typeof large] => [String(n), use]);

  it('those that are mostly dead, and small ones when there are many', () => {
    expect(choosePacks(named([large, { ...large, liveBytes: PACK_BYTES * 0.6 }]))).toEqual(['0']);
    expect(choosePacks(named(Array(MAX_SMALL_PACKS).fill(small)))).toEqual([]);
    expect(choosePacks(named(Array(MAX_SMALL_PACKS + 1).fill(small)))).toHaveLength(MAX_SMALL_PACKS + 1);
  });

  it('none of which nothing is needed, and not one of tiny files for its directory', () => {
    expect(choosePacks(named([{ ...large, live: 0, liveBytes: 0 }]))).toEqual([]);
    const tiny = { sizeBytes: PACK_BYTES * 2, live: PACK_BYTES / 58, liveBytes: PACK_BYTES };
    expect(choosePacks(named([tiny]))).toEqual([]);
  });

  it('no more at once than a collection can do', () => {
    const huge = { sizeBytes: 9 * 2 ** 30, live: 1, liveBytes: 3 * 2 ** 30 };
    expect(choosePacks(named([huge, huge]))).toEqual(['0']);
  });
});

describe('a sweep', () => {
  it('copies the living out of packs that are mostly dead, and deletes those later', async () => {
    const dead = Array.from({ length: 3 }, () => resource(randomBytes(SMALL_PACK_BYTES - 1)));
    const living = [resource(Buffer.from('one')), resource(Buffer.from('two'))];
    await pool.add([...living, ...dead], { signal });
    const [old] = await idsOf(store, 'packs');
    expect(await sweep(living, { dryRun: true })).toMatchObject({ rewritten: [old], missing: 0 });
    expect(await idsOf(store, 'packs')).toEqual([old]);
    expect(await sweep(living)).toMatchObject({ rewritten: [old], condemned: [], deleted: [] });
    expect(await pool.match([...living, ...dead], { signal })).toEqual([true, true, false, false, false]);
    expect(await sweep(living)).toMatchObject({ rewritten: [], condemned: [], deleted: [old] });
    expect(await sweep(living)).toMatchObject({ rewritten: [], condemned: [], deleted: [] });
    expect(await idsOf(store, 'packs')).toHaveLength(1);
    expect((await readAll(store, living)).map(String)).toEqual(['one', 'two']);
  });

  it('does not delete a rewritten pack while an upload that may read it is under way', async () => {
    const living = Array.from({ length: MAX_SMALL_PACKS + 1 }, (_, n) => resource(Buffer.from(`file ${n}`)));
    for (const one of living) await pool.add([one], { signal });
    const oldestUploadMs = Date.now();
    const old = await idsOf(store, 'packs');
    expect((await sweep(living, { oldestUploadMs })).rewritten.toSorted()).toEqual(old.toSorted());
    expect(await sweep(living, { oldestUploadMs })).toMatchObject({ deleted: [] });
    expect((await sweep(living)).deleted.toSorted()).toEqual(old.toSorted());
    expect(await idsOf(store, 'packs')).toHaveLength(1);
    expect((await readAll(store, living)).map(String)).toEqual(living.map((_, n) => `file ${n}`));
  });

  it('leaves young packs as they are', async () => {
    for (let n = 0; n <= MAX_SMALL_PACKS; n++) await pool.add([resource(Buffer.from([n]))], { signal });
    const needed = [resource(Buffer.from([0]))];
    expect(await sweep(needed, { graceMs: 60_000 })).toMatchObject({ rewritten: [], condemned: [] });
  });

  it('keeps one copy of a content that two collections at once see twice', async () => {
    const one = resource(Buffer.from('one'));
    await Promise.all([pool.add([one], { signal }), pool.add([one], { signal })]);
    expect(await idsOf(store, 'packs')).toHaveLength(2);
    for (let n = 0; n < 4; n++) await Promise.all([sweep([one]), sweep([one])]);
    expect(await idsOf(store, 'packs')).toHaveLength(1);
    expect((await readAll(store, [one])).map(String)).toEqual(['one']);
  });

  it('goes on when a merge replaces the index while it is read', async () => {
    const [one, two] = [resource(Buffer.from('one')), resource(Buffer.from('two'))];
    await pool.add([one], { signal });
    await pool.add([two], { signal });
    const readRange = store.readRange.bind(store);
    let merges = 0;
    store.readRange = (key, options) => {
      const isKeys = options.end === KEY_BYTES - 1;
      if (!isKeys || merges > 0) return readRange(key, options);
      merges++;
      return Readable.from(
        (async function* () {
          await pool.compact({ signal });
          yield* readRange(key, options);
        })(),
        { objectMode: false },
      );
    };
    expect(await sweep([one, two])).toMatchObject({ missing: 0, condemned: [], deleted: [] });
    expect(merges).toBe(1);
  });

  it('keeps packs that no index knows while contents are missing that packages need', async () => {
    const one = resource(Buffer.from('one'));
    await pool.add([one], { signal });
    for (const id of await idsOf(store, 'index'))
      await store.delete({ kind: 'resources', name: `${TENANT}/index/${id}` }, { signal });
    for (let n = 0; n < 3; n++)
      expect(await sweep([one])).toMatchObject({ missing: 1, condemned: [], deleted: [] });
    expect(await idsOf(store, 'packs')).toHaveLength(1);
    expect(await sweep([])).toMatchObject({ missing: 0, condemned: [expect.any(String)] });
  });
});
