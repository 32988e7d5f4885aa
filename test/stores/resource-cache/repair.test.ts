import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { KEY_BYTES } from '../../../src/stores/resource-cache/format.ts';
import { directoryOf } from '../../../src/stores/resource-cache/pack-directory.ts';
import { LARGE_BYTES, type NewResource } from '../../../src/stores/resource-cache/pack-writer.ts';
import { Pool } from '../../../src/stores/resource-cache/pool.ts';
import { type RepairReport, repairPool } from '../../../src/stores/resource-cache/repair.ts';
import { idsOf, readAll, resource, signal, TENANT } from './rig.ts';

let root: string;
let store: BlobStore;
let pool: Pool;
const bodies = [Buffer.alloc(0), Buffer.from('one'), randomBytes(70_000), randomBytes(LARGE_BYTES + 3)];
const contents: readonly NewResource[] = bodies.map((bytes) => resource(bytes));
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-repair-'));
  store = await openBlobStore(root);
  pool = new Pool(store, TENANT);
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const repair = (options = {}): Promise<RepairReport> => repairPool(store, TENANT, { signal, ...options });
const keyOf = (what: 'packs' | 'index', id: string): BlobKey => ({
  kind: 'resources',
  name: `${TENANT}/${what}/${id}`,
});
const healthy = {
  damagedSegments: 0,
  addedPacks: 0,
  addedContents: 0,
  damagedContents: 0,
  unreadablePacks: [],
  lostPacks: [],
};

/** Flips a byte of a stored blob. */
async function flip(key: BlobKey, at: number): Promise<void> {
  const path = await realpath(fileURLToPath(store.location(key)));
  const bytes = await readFile(path);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe('repairing the index of a pool', () => {
  it('changes nothing where nothing is wrong', async () => {
    await pool.add(contents, { signal });
    const before = [await idsOf(store, 'packs'), await idsOf(store, 'index')];
    expect(await repair()).toMatchObject(healthy);
    expect([await idsOf(store, 'packs'), await idsOf(store, 'index')]).toEqual(before);
  });

  it('makes an index that is lost again from the packs, small contents and large ones', async () => {
    await pool.add(contents, { signal });
    for (const id of await idsOf(store, 'index')) await store.delete(keyOf('index', id), { signal });
    expect(await pool.match(contents, { signal })).toEqual(contents.map(() => false));
    const found = { ...healthy, addedPacks: 2, addedContents: contents.length };
    expect(await repair({ dryRun: true })).toMatchObject(found);
    expect(await idsOf(store, 'index')).toEqual([]);
    expect(await repair()).toMatchObject(found);
    expect(await pool.match(contents, { signal })).toEqual(contents.map(() => true));
    expect((await readAll(store, contents)).map((bytes, n) => bytes.equals(bodies[n] ?? bytes))).toEqual(
      contents.map(() => true),
    );
    expect(await repair()).toMatchObject(healthy);
  });

  it.each([
    ['keys', 0],
    ['rows', 2 * KEY_BYTES],
    ['foot', -1],
  ])('replaces a part of the index whose %s are damaged, and keeps the others', async (_what, at) => {
    await pool.add(contents.slice(0, 2), { signal });
    const [first = ''] = await idsOf(store, 'index');
    await pool.add(contents.slice(2), { signal });
    const [second = ''] = (await idsOf(store, 'index')).filter((id) => id !== first);
    await flip(keyOf('index', second), at);
    expect(await repair()).toMatchObject({ damagedSegments: 1, addedContents: 2 });
    expect(await idsOf(store, 'index')).toContain(first);
    expect(await idsOf(store, 'index')).not.toContain(second);
    expect(await pool.match(contents, { signal })).toEqual(contents.map(() => true));
  });

  it('does not forget what a damaged part of the index says of packs', async () => {
    await pool.add(contents.slice(0, 2), { signal });
    const [pack = ''] = await idsOf(store, 'packs');
    await pool.retire([pack], { signal, gone: false });
    await pool.compact({ signal });
    const [merged = ''] = await idsOf(store, 'index');
    await flip(keyOf('index', merged), 0);
    expect(await repair()).toMatchObject({ damagedSegments: 1, addedPacks: 1 });
    expect(await pool.match(contents.slice(0, 2), { signal })).toEqual([false, false]);
    expect((await readAll(store, contents.slice(0, 2))).map(String)).toEqual(['', 'one']);
  });

  it('says what to do when a damaged index is met', async () => {
    await pool.add(contents, { signal });
    const [id = ''] = await idsOf(store, 'index');
    await flip(keyOf('index', id), -1);
    await expect(pool.match(contents, { signal })).rejects.toMatchObject({
      code: 'BLOB_CORRUPT',
      next: expect.stringContaining('stager blobs repair'),
    });
  });

  it('enters what is whole of a damaged pack, and says what is not', async () => {
    await pool.add(contents.slice(0, 3), { signal });
    const [id = ''] = await idsOf(store, 'packs');
    for (const segment of await idsOf(store, 'index'))
      await store.delete(keyOf('index', segment), { signal });
    await flip(keyOf('packs', id), 10);
    expect(await repair()).toMatchObject({ addedPacks: 1, addedContents: 2, damagedContents: 1 });
    expect(await pool.match(contents, { signal })).toEqual([true, true, false, false]);
  });

  it('enters nothing of a pack without a whole directory', async () => {
    await pool.add(contents.slice(0, 3), { signal });
    const [id = ''] = await idsOf(store, 'packs');
    for (const segment of await idsOf(store, 'index'))
      await store.delete(keyOf('index', segment), { signal });
    await flip(keyOf('packs', id), -20);
    expect(await repair()).toMatchObject({ addedPacks: 0, unreadablePacks: [id] });
    expect(await pool.match(contents, { signal })).toEqual(contents.map(() => false));
  });

  it('does not match packs that are gone, and reads them when they come back', async () => {
    await pool.add(contents.slice(0, 3), { signal });
    const [id = ''] = await idsOf(store, 'packs');
    const { body, info } = await store.get(keyOf('packs', id), { signal });
    const backup = await buffer(body);
    await store.delete(keyOf('packs', id), { signal });
    expect(await repair()).toMatchObject({ lostPacks: [id] });
    expect(await pool.match(contents, { signal })).toEqual(contents.map(() => false));
    expect(await repair()).toMatchObject(healthy);
    const { contentType } = info;
    await store.put(keyOf('packs', id), Readable.from([backup]), { contentType, signal });
    expect((await readAll(store, contents.slice(0, 2))).map(String)).toEqual(['', 'one']);
  });

  it('is not told by a file of the app what that file holds', async () => {
    const victim = resource(Buffer.from('never sent'));
    const body = randomBytes(LARGE_BYTES);
    const forged = Buffer.concat([body, directoryOf([{ ...victim, sizeBytes: body.length }])]);
    await pool.add([resource(forged)], { signal });
    for (const id of await idsOf(store, 'index')) await store.delete(keyOf('index', id), { signal });
    expect(await repair()).toMatchObject({ addedPacks: 1, addedContents: 1, damagedContents: 0 });
    expect(await pool.match([victim, resource(forged)], { signal })).toEqual([false, true]);
  });
});
