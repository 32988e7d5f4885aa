/** Writing one index segment as a stream: keys, then rows, then the tail. */
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import {
  BLOCK_ENTRIES,
  encodeEntry,
  encodeTail,
  KEY_BYTES,
  type Resource,
  ROW_BYTES,
  type SegmentMeta,
} from './format.ts';
import { INDEX_TYPE, newPoolId, segmentKey } from './layout.ts';

/** A pack as a segment names it. */
export type PackRef = SegmentMeta['packs'][number];

/** Blocks of a column that is being written. */
export interface ColumnSource {
  readonly entries: number;
  /** Blocks of keys of `BLOCK_ENTRIES` each, except for the last. */
  keys(): AsyncIterable<Buffer>;
  /** Blocks of rows, in the same order. */
  rows(): AsyncIterable<Buffer>;
}

/** Puts a segment, with those parts of its meta data that say something. @returns its id. */
export async function writeSegment(
  io: { readonly store: BlobStore; readonly tenant: string; readonly signal: AbortSignal },
  source: ColumnSource,
  parts: Partial<SegmentMeta>,
): Promise<string> {
  const id = newPoolId();
  const meta: SegmentMeta = { version: 1, packs: [], replaces: [], dropped: [], condemned: [], ...parts };
  async function* bytes(): AsyncGenerator<Buffer, void, void> {
    const first: number[] = [];
    const keysCrc: number[] = [];
    const rowsCrc: number[] = [];
    for await (const block of source.keys()) {
      first.push(block.readUIntBE(0, 6));
      keysCrc.push(crc32(block));
      yield block;
    }
    for await (const block of source.rows()) {
      rowsCrc.push(crc32(block));
      yield block;
    }
    const blocks = first.map((value, n) => ({
      first: value,
      keysCrc: keysCrc[n] ?? 0,
      rowsCrc: rowsCrc[n] ?? 0,
    }));
    yield encodeTail({ entries: source.entries, blocks, meta });
  }
  const body = Readable.from(bytes(), { objectMode: false, highWaterMark: 1 << 18 });
  await io.store.put(segmentKey(io.tenant, id), body, { contentType: INDEX_TYPE, signal: io.signal });
  return id;
}

/** A segment of resources in memory: 76 bytes each while it is written. */
export function columnsOf(resources: readonly Resource[], packs: readonly PackRef[]): ColumnSource {
  const numbers = new Map(packs.map(({ id }, n) => [id, n]));
  const keys = Buffer.allocUnsafe(resources.length * KEY_BYTES);
  const rows = Buffer.allocUnsafe(resources.length * ROW_BYTES);
  const prefix = new Float64Array(resources.length);
  resources.forEach((resource, n) => {
    const key = keys.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES);
    const row = rows.subarray(n * ROW_BYTES, (n + 1) * ROW_BYTES);
    encodeEntry(resource, numbers.get(resource.pack) ?? 0, { key, row });
    prefix[n] = key.readUIntBE(0, 6);
  });
  const order = Uint32Array.from(resources.keys()).sort((a, b) => {
    const difference = (prefix[a] ?? 0) - (prefix[b] ?? 0);
    if (difference !== 0) return difference;
    return keys.compare(keys, b * KEY_BYTES, (b + 1) * KEY_BYTES, a * KEY_BYTES, (a + 1) * KEY_BYTES);
  });
  async function* inOrder(from: Buffer, width: number): AsyncGenerator<Buffer, void, void> {
    for (let start = 0; start < order.length; start += BLOCK_ENTRIES) {
      const end = Math.min(start + BLOCK_ENTRIES, order.length);
      const block = Buffer.allocUnsafe((end - start) * width);
      for (let rank = start; rank < end; rank++) {
        const at = (order[rank] ?? 0) * width;
        from.copy(block, (rank - start) * width, at, at + width);
      }
      yield block;
    }
  }
  return {
    entries: resources.length,
    keys: () => inOrder(keys, KEY_BYTES),
    rows: () => inOrder(rows, ROW_BYTES),
  };
}
