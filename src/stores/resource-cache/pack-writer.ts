/**
 * Putting resources into packs. A pack is the contents one after another, then a directory of them, so that an index
 * that was lost can be made again:
 *
 *     contents…   directory: n × 58 (sha1[20] sha256[32] size u48)   foot: "STGRPCK1" entries u32 crc32-of-directory u32
 *
 * A large resource gets a pack of its own, which holds its bytes and nothing else, and has another content type.
 * Packs are immutable.
 */

import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { sha256Of, sha256OfBytes } from '../../words/digest.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { Sha256 } from '../../words/ids.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import type { Digests } from '../blobs/port/digests.ts';
import type { Resource } from './format.ts';
import { newPoolId, PACK_TYPE, packKey, SINGLE_TYPE } from './layout.ts';
import { directoryOf } from './pack-directory.ts';
import type { PackRef } from './segment-writer.ts';

/** A pack is closed when it has this many bytes. */
export const PACK_BYTES = 32 << 20;
/** A resource of this size or more gets a pack of its own. */
export const LARGE_BYTES = 8 << 20;
/** Contents reach the store in blocks of this size: a chunk for each small file would cost more than its bytes. */
const BLOCK_BYTES = 1 << 20;

/** A resource that is to be stored. */
export interface NewResource extends Digests {
  /** For messages. */
  readonly path: string;
  /** A stream, or any other sequence of pieces; a piece is valid until the next one is asked for. */
  readonly open: () => Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>>;
  /** Host path of the same bytes, where there is one. */
  readonly hostPath?: string;
}

/** What was stored. */
export interface StoredPacks {
  readonly packs: readonly PackRef[];
  readonly resources: readonly Resource[];
  readonly bytes: number;
}

interface Io {
  readonly store: BlobStore;
  readonly tenant: string;
  readonly signal: AbortSignal;
  /** Called with the bytes stored so far. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Stores resources, in packs, in the order in which they come. Every content is hashed again on its way: what is
 * stored under a digest has that digest.
 *
 * @throws StagerError SOURCE_CHANGED when a content is not what its digests say; nothing of its pack is published.
 */
export async function writePacks(
  io: Io,
  resources: Iterable<NewResource> | AsyncIterable<NewResource>,
): Promise<StoredPacks> {
  const packs: PackRef[] = [];
  const stored: Resource[] = [];
  const iterator = peekable(resources);
  let bytes = 0;
  for (let next = await iterator.peek(); next !== undefined; next = await iterator.peek()) {
    const id = newPoolId();
    const written = isLarge(next)
      ? await writeLarge(io, id, await iterator.take())
      : await writeMany(io, id, iterator);
    packs.push({ id, sizeBytes: written.sizeBytes, atMs: Date.now() });
    for (const resource of written.resources) stored.push(resource);
    bytes += written.sizeBytes;
    io.onBytes?.(bytes);
  }
  return { packs, resources: stored, bytes };
}

interface Written {
  readonly resources: readonly Resource[];
  readonly sizeBytes: number;
}

const isLarge = ({ sizeBytes }: Digests): boolean => sizeBytes >= LARGE_BYTES;

async function writeLarge(io: Io, id: string, resource: NewResource): Promise<Written> {
  const { sha1, sha256, sizeBytes, hostPath } = resource;
  const options = { contentType: SINGLE_TYPE, signal: io.signal, expected: { sha256, sizeBytes } };
  const key = packKey(io.tenant, id);
  try {
    if (hostPath === undefined)
      await io.store.put(key, Readable.from(await resource.open(), { objectMode: false }), options);
    // The store opens it by its name, and would wait for the other end of a pipe that has taken it.
    else if (await isSame(hostPath, sizeBytes)) await io.store.putFile(key, hostPath, options);
    else throw changedWhilePacked(resource.path);
  } catch (error) {
    const isGone = hostPath !== undefined && !(await isSame(hostPath, sizeBytes));
    throw isGone || isStagerError(error, 'BLOB_CORRUPT') ? changedWhilePacked(resource.path, error) : error;
  }
  return { resources: [{ sha1, sha256, sizeBytes, pack: id, offset: 0 }], sizeBytes };
}

/** Whether it looks as it was listed. */
async function isSame(hostPath: string, sizeBytes: number): Promise<boolean> {
  const stat = await lstat(hostPath).catch(() => undefined);
  return stat?.isFile() === true && stat.size === sizeBytes;
}

async function writeMany(io: Io, id: string, iterator: Peekable): Promise<Written> {
  const resources: Resource[] = [];
  async function* contents(): AsyncGenerator<Uint8Array, void, void> {
    const blocks = new Blocks();
    let offset = 0;
    for (let next = await iterator.peek(); next !== undefined; next = await iterator.peek()) {
      if (isLarge(next) || offset >= PACK_BYTES) break;
      const resource = await iterator.take();
      for await (const piece of unchanged(resource)) yield* blocks.add(piece);
      const { sha1, sha256, sizeBytes } = resource;
      resources.push({ sha1, sha256, sizeBytes, pack: id, offset });
      offset += sizeBytes;
    }
    yield* blocks.add(directoryOf(resources));
    yield* blocks.rest();
  }
  const body = Readable.from(contents(), { objectMode: false, highWaterMark: 1 << 20 });
  const { sizeBytes } = await io.store.put(packKey(io.tenant, id), body, {
    contentType: PACK_TYPE,
    signal: io.signal,
  });
  return { resources, sizeBytes };
}

/**
 * Its pieces. The content is hashed again, by sha256 alone: bytes with the same sha256 have the same sha1.
 */
async function* unchanged(resource: NewResource): AsyncGenerator<Uint8Array, void, void> {
  const pieces = await resource.open();
  let sizeBytes = 0;
  let sha256: Sha256;
  if (Array.isArray(pieces) && pieces.length === 1 && pieces[0] instanceof Uint8Array) {
    const [whole] = pieces;
    sizeBytes = whole.byteLength;
    sha256 = sha256OfBytes(whole);
    yield whole;
  } else {
    const hash = createHash('sha256');
    for await (const piece of pieces) {
      hash.update(piece);
      sizeBytes += piece.byteLength;
      if (sizeBytes > resource.sizeBytes) throw changedWhilePacked(resource.path);
      yield piece;
    }
    sha256 = sha256Of(hash);
  }
  if (sizeBytes !== resource.sizeBytes || sha256 !== resource.sha256) throw changedWhilePacked(resource.path);
}

/** Joins pieces to blocks. */
class Blocks {
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #filled = 0;

  /** Copies a piece. @returns the blocks that became full. */
  *add(piece: Uint8Array): Generator<Buffer, void, void> {
    for (let at = 0; at < piece.byteLength; ) {
      const length = Math.min(BLOCK_BYTES - this.#filled, piece.byteLength - at);
      this.#block.set(piece.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled < BLOCK_BYTES) continue;
      yield this.#block;
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#filled = 0;
    }
  }

  /** The last block, which is not full. */
  *rest(): Generator<Buffer, void, void> {
    if (this.#filled > 0) yield this.#block.subarray(0, this.#filled);
  }
}

/** What to throw for a file that has changed since it was fingerprinted. */
export function changedWhilePacked(path: string, cause?: unknown): StagerError {
  return new StagerError('SOURCE_CHANGED', `${path} changed while it was packaged`, {
    next: 'Make sure that nothing writes to the app while it is packaged, and try again.',
    details: { path },
    cause,
  });
}

interface Peekable {
  peek(): Promise<NewResource | undefined>;
  /** What {@link Peekable.peek} showed. */
  take(): Promise<NewResource>;
}

function peekable(source: Iterable<NewResource> | AsyncIterable<NewResource>): Peekable {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let ahead: NewResource | undefined;
  const peek = async (): Promise<NewResource | undefined> => {
    if (ahead !== undefined) return ahead;
    const next = await iterator.next();
    ahead = next.done === true ? undefined : next.value;
    return ahead;
  };
  return {
    peek,
    async take() {
      const resource = await peek();
      if (resource === undefined) throw new Error('nothing to take');
      ahead = undefined;
      return resource;
    },
  };
}
