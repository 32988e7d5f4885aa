/** What every blob store promises. Each adapter's test file runs this suite over a store of its own. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { newGuid } from '../../../src/words/ids.ts';

/** A store under test and the ways in which a test may harm it. */
export interface StoreUnderTest {
  readonly store: BlobStore;
  /** Flips one byte of a stored blob behind the store's back. */
  readonly corrupt: (key: BlobKey, offset: number) => Promise<void>;
  /** Cuts a stored blob short behind the store's back. */
  readonly truncate: (key: BlobKey, length: number) => Promise<void>;
  /** Everything that lies in the store, files of no key included. */
  readonly leftovers: () => Promise<readonly string[]>;
  readonly close: () => Promise<void>;
}

const hex = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');
const signal = new AbortController().signal;
const contentType = 'application/octet-stream';
const droplet = (): BlobKey => ({
  kind: 'droplets',
  name: `${newGuid()}/${randomBytes(20).toString('hex')}`,
});

/** A body that comes in pieces of an awkward size. */
export function streamOf(bytes: Uint8Array, piece = 65_521): Readable {
  function* pieces(): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  return Readable.from(pieces(), { objectMode: false });
}

/** Runs the suite. `bigBytes` is a size that the adapter stores in its way for large blobs. */
export function blobStoreContract(open: () => Promise<StoreUnderTest>, bigBytes: number): void {
  let under: StoreUnderTest;
  let store: BlobStore;
  beforeAll(async () => {
    under = await open();
    store = under.store;
  });
  afterAll(async () => under?.close());

  const put = (key: BlobKey, bytes: Uint8Array, options = {}) =>
    store.put(key, streamOf(bytes), { contentType, signal, ...options });
  const read = async (key: BlobKey): Promise<Buffer> => buffer((await store.get(key, { signal })).body);

  describe.each([
    ['an empty blob', 0],
    ['a small blob', 1_234],
    ['a large blob', bigBytes],
  ])('%s', (_name, size) => {
    const bytes = randomBytes(size);
    const key = droplet();

    it('comes back as it was put, with its digests and content type', async () => {
      const info = await put(key, bytes, { contentType: 'application/gzip' });
      expect(info).toMatchObject({ key, sizeBytes: size, contentType: 'application/gzip' });
      expect(info.sha1).toBe(hex('sha1', bytes));
      expect(info.sha256).toBe(hex('sha256', bytes));
      expect(Math.abs(Date.now() - info.modifiedAtMs)).toBeLessThan(600_000);
      const got = await store.get(key, { signal });
      expect(got.info).toEqual(info);
      expect((await buffer(got.body)).equals(bytes)).toBe(true);
      expect(await store.stat(key, { signal })).toEqual(info);
    });

    it('can be replaced, and is then the new one with the new digests', async () => {
      const other = randomBytes(size + 7);
      await put(key, other);
      expect((await read(key)).equals(other)).toBe(true);
      expect((await store.stat(key, { signal }))?.sha256).toBe(hex('sha256', other));
      await put(key, bytes);
    });

    it('is gone after delete, and deleting it again is fine', async () => {
      await store.delete(key, { signal });
      expect(await store.stat(key, { signal })).toBeUndefined();
      await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      await store.delete(key, { signal });
    });
  });

  it('stores a file of this host', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stager-put-file-'));
    const path = join(directory, 'file');
    for (const [immutable, size] of [
      [true, 100_000],
      [false, bigBytes],
    ] as const) {
      const bytes = randomBytes(size);
      const key = droplet();
      await rm(path, { force: true });
      await writeFile(path, bytes);
      const info = await store.putFile(key, path, { contentType, signal, immutable });
      expect(info).toMatchObject({ sizeBytes: size, sha256: hex('sha256', bytes) });
      expect((await read(key)).equals(bytes)).toBe(true);
      await store.delete(key, { signal });
    }
    await rm(directory, { recursive: true });
  });

  it.each([
    ['its first bytes', 0, 99],
    ['a piece from the middle', 1_000, 70_000],
    ['its last byte', 99_999, 99_999],
  ])('reads a range: %s', async (_name, start, end) => {
    const bytes = randomBytes(100_000);
    const key = droplet();
    await put(key, bytes);
    const { body, info } = await store.get(key, { signal, range: { start, end } });
    expect((await buffer(body)).equals(bytes.subarray(start, end + 1))).toBe(true);
    expect(info.sizeBytes).toBe(100_000);
    await store.delete(key, { signal });
  });

  it('refuses what differs from what was announced, and publishes nothing', async () => {
    const key = droplet();
    const sha256 = hex('sha256', Buffer.from('something else'));
    for (const size of [5_000, bigBytes]) {
      for (const expected of [{ sha256 }, { sizeBytes: size + 1 }]) {
        await expect(put(key, randomBytes(size), { expected })).rejects.toMatchObject({
          code: 'BLOB_CORRUPT',
        });
        expect(await store.stat(key, { signal })).toBeUndefined();
      }
    }
  });

  it('publishes nothing when the body breaks off or the caller cancels', async () => {
    const key = droplet();
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield randomBytes(bigBytes);
      throw new Error('the disk of the sender died');
    }
    const body = Readable.from(breaking(), { objectMode: false });
    await expect(store.put(key, body, { contentType, signal })).rejects.toThrow(
      'the disk of the sender died',
    );
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let n = 0; ; n++) {
        if (n === 20) controller.abort();
        yield randomBytes(100_000);
      }
    }
    const never = Readable.from(endless(), { objectMode: false });
    await expect(store.put(key, never, { contentType, signal: controller.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(never.destroyed).toBe(true);
    expect(await store.stat(key, { signal })).toBeUndefined();
  });

  it.each([
    ['a small', 5_000],
    ['a large', bigBytes],
  ])('reports a flipped byte of %s blob to its reader', async (_name, size) => {
    const key = droplet();
    await put(key, randomBytes(size));
    await under.corrupt(key, Math.floor(size / 2));
    await expect(read(key)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
    await store.delete(key, { signal });
  });

  it('hands out no flipped byte to a client that reads meanwhile', async () => {
    const bytes = randomBytes(bigBytes);
    for (const at of [0, 0.3, 0.7, 0.999].map((part) => Math.floor(part * bigBytes))) {
      const key = droplet();
      await put(key, bytes);
      const { body } = await store.get(key, { signal });
      const chunks = body[Symbol.asyncIterator]();
      const read: Uint8Array[] = [(await chunks.next()).value];
      await under.corrupt(key, at);
      const rest = async (): Promise<Buffer> => {
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
          read.push(next.value);
        return Buffer.concat(read);
      };
      // What was on its way already is whole; all else is damage, and never an end.
      const result = await rest().catch((error: unknown) => error);
      if (Buffer.isBuffer(result)) expect(result.equals(bytes)).toBe(true);
      else expect(result).toMatchObject({ code: expect.stringMatching(/^(BLOB_CORRUPT|BLOB_NOT_FOUND)$/) });
      await store.delete(key, { signal });
    }
  });

  it('reports a blob that was cut short', async () => {
    const key = droplet();
    await put(key, randomBytes(50_000));
    await under.truncate(key, 40_000);
    await expect(read(key)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
    await store.delete(key, { signal });
  });

  it('lists a kind in the order of the paths, and by prefix', async () => {
    const names = ['abcd-1', 'abcd.x', 'abcd/2', 'abcd/10', 'ABce/1', 'ab', 'zz/top', 'abcd0/deep/er'];
    for (const name of names) await put({ kind: 'buildpacks', name }, Buffer.from(name));
    const listed = async (prefix?: string): Promise<string[]> => {
      const found: string[] = [];
      const options = prefix === undefined ? { signal } : { signal, prefix };
      for await (const info of store.list('buildpacks', options)) {
        expect(info.sha256).toBe(hex('sha256', Buffer.from(info.key.name)));
        found.push(info.key.name);
      }
      return found;
    };
    const all = ['ab', 'abcd-1', 'abcd.x', 'abcd/10', 'abcd/2', 'abcd0/deep/er', 'ABce/1', 'zz/top'];
    expect(await listed()).toEqual(all);
    expect(await listed('abcd/')).toEqual(['abcd/10', 'abcd/2']);
    expect(await listed('abcd')).toEqual(all.slice(1, 6));
    expect(await listed('z')).toEqual(['zz/top']);
    expect(await listed('none/here')).toEqual([]);
    const bare: [string, number][] = [];
    for await (const { key, sizeBytes } of store.names('buildpacks', { signal }))
      bare.push([key.name, sizeBytes]);
    expect(bare).toEqual(all.map((name) => [name, name.length]));
    for (const name of names) await store.delete({ kind: 'buildpacks', name }, { signal });
    expect(await listed()).toEqual([]);
  });

  it('refuses names that could leave the kind', async () => {
    for (const name of ['', '..', '../x', 'a/../b', '/a', 'a//b', 'a/', 'a\0b', 'ä', 'a b', '.']) {
      const key: BlobKey = { kind: 'packages', name };
      await expect(put(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'USAGE' });
      await expect(store.stat(key, { signal })).rejects.toMatchObject({ code: 'USAGE' });
    }
  });

  it('says that a name is the directory of another one', async () => {
    const key = droplet();
    await put(key, Buffer.from('x'));
    const below = put({ ...key, name: `${key.name}/below` }, Buffer.from('x'));
    await expect(below).rejects.toMatchObject({ code: 'USAGE', message: expect.stringMatching(/directory/) });
    await store.delete(key, { signal });
  });

  it('keeps one whole blob when many writers put the same key at once', async () => {
    const key = droplet();
    const bodies = Array.from({ length: 8 }, (_, n) => randomBytes(20_000 + n));
    await Promise.all(bodies.map((bytes) => put(key, bytes)));
    const got = await read(key);
    expect(bodies.some((bytes) => bytes.equals(got))).toBe(true);
    await store.delete(key, { signal });
  });

  it('says that it can be read and written, and where it is', async () => {
    expect(await store.probe({ signal })).toMatchObject({ readable: true, writable: true });
    expect(store.location({ kind: 'packages', name: 'abcdef' })).toContain('packages/ab/cd/abcdef');
  });

  it('leaves nothing behind, the failures included', async () => {
    await store.sweep({ signal, minAgeMs: 0 });
    expect(await under.leftovers()).toEqual([]);
  });
}
