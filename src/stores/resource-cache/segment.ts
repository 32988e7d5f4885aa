/** Reading one index segment: its tail, and its blocks of keys and rows as streams. */
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { BlobKey, BlobStore } from '../blobs/port/blob-store.ts';
import {
  BLOCK_ENTRIES,
  decodeFoot,
  decodeTail,
  FOOT_BYTES,
  KEY_BYTES,
  ROW_BYTES,
  type SegmentTail,
} from './format.ts';

/** One request gets foot, table and meta of every segment with less than five million entries. */
const TAIL_GUESS = 64 << 10;

/** A segment whose tail was read. */
export interface Segment extends SegmentTail {
  readonly id: string;
  readonly key: BlobKey;
}

/** How to reach a store. */
export interface StoreAccess {
  readonly store: BlobStore;
  readonly signal: AbortSignal;
}

/** Keys and rows differ in place and width only. */
export type Column = 'keys' | 'rows';

/** A run of blocks, `to` exclusive. */
export interface BlockRun {
  readonly from: number;
  readonly to: number;
}

/** Reads a segment's tail. @throws StagerError BLOB_NOT_FOUND, BLOB_CORRUPT. */
export async function openSegment(
  io: StoreAccess,
  at: { readonly id: string; readonly key: BlobKey; readonly sizeBytes: number },
): Promise<Segment> {
  const location = io.store.location(at.key);
  const read = (bytes: number): Promise<Buffer> =>
    buffer(
      io.store.readRange(at.key, { signal: io.signal, start: at.sizeBytes - bytes, end: at.sizeBytes - 1 }),
    ).catch((error: unknown) => {
      throw repairable(error, location);
    });
  if (at.sizeBytes < FOOT_BYTES) throw damaged(location, 'it is too short');
  let tail = await read(Math.min(TAIL_GUESS, at.sizeBytes));
  const foot = decodeFoot(tail.subarray(Math.max(0, tail.length - FOOT_BYTES)), at.sizeBytes);
  if (typeof foot === 'string') throw damaged(location, foot);
  if (foot.tailBytes > tail.length) tail = await read(foot.tailBytes);
  const decoded = decodeTail(tail.subarray(tail.length - foot.tailBytes));
  if (typeof decoded === 'string') throw damaged(location, decoded);
  return { ...decoded, id: at.id, key: at.key };
}

/** Verified blocks of a column. @throws StagerError BLOB_CORRUPT. */
export async function* readBlocks(
  io: StoreAccess,
  segment: Segment,
  what: BlockRun & { readonly column: Column },
): AsyncGenerator<{ readonly block: number; readonly bytes: Buffer }, void, void> {
  const { column, from, to } = what;
  const width = column === 'keys' ? KEY_BYTES : ROW_BYTES;
  const base = column === 'keys' ? 0 : segment.entries * KEY_BYTES;
  const start = base + from * BLOCK_ENTRIES * width;
  const end = base + Math.min(to * BLOCK_ENTRIES, segment.entries) * width - 1;
  if (end < start) return;
  const body = io.store.readRange(segment.key, { signal: io.signal, start, end });
  const location = io.store.location(segment.key);
  const pieces = inPieces(body, BLOCK_ENTRIES * width);
  for (let block = from; ; block++) {
    const { done, value: bytes } = await pieces.next().catch((error: unknown) => {
      throw repairable(error, location);
    });
    if (done === true) return;
    const line = segment.blocks[block];
    const expected = column === 'keys' ? line?.keysCrc : line?.rowsCrc;
    if (crc32(bytes) !== expected)
      throw damaged(location, `the checksum of block ${block} of its ${column} is wrong`);
    yield { block, bytes };
  }
}

/** A store that finds the damage first does not know that an index can be made again. */
function repairable(error: unknown, location: string): unknown {
  return isStagerError(error, 'BLOB_CORRUPT') ? damaged(location, error.message) : error;
}

function damaged(location: string, what: string): StagerError {
  return new StagerError(
    'BLOB_CORRUPT',
    `the index of the resource cache is damaged: ${what} (${location})`,
    {
      next: 'Run `stager blobs repair`, which rebuilds it from the stored packs.',
      details: { location },
    },
  );
}

/** A stream's bytes in pieces of `size`; the last may be shorter. */
export async function* inPieces(body: Readable, size: number): AsyncGenerator<Buffer, void, void> {
  let piece = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of body) {
    const bytes: Uint8Array = chunk;
    for (let at = 0; at < bytes.byteLength; ) {
      const length = Math.min(size - filled, bytes.byteLength - at);
      piece.set(bytes.subarray(at, at + length), filled);
      filled += length;
      at += length;
      if (filled < size) continue;
      yield piece;
      piece = Buffer.allocUnsafe(size);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
