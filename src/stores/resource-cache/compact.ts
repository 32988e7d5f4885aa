/**
 * Merging small segments, so that their number stays constant: a log-structured merge tree whose levels are sizes.
 *
 * Safe at any moment and by any number of processes at once: the merged segment names those that it replaces, so it
 * takes effect when it is there, and they are deleted after that. Two merges of the same segments give two equal ones,
 * which the next merge joins.
 */

import { isStagerError } from '../../words/errors.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import { BLOCK_ENTRIES, KEY_BYTES, ROW_BYTES, type SegmentMeta } from './format.ts';
import { CONTENT_BYTES, inKeyOrder, KeyCursor, type PlacedKey, sameContent } from './key-order.ts';
import { segmentKey } from './layout.ts';
import type { Segment } from './segment.ts';
import { type ColumnSource, type PackRef, writeSegment } from './segment-writer.ts';
import type { Snapshot } from './snapshot.ts';

/** More segments than this are merged; it bounds the requests of every match. */
const MAX_SEGMENTS = 8;

const REMEMBER_DROPPED_MS = 7 * 86_400_000;

interface Io {
  readonly store: BlobStore;
  readonly tenant: string;
  readonly signal: AbortSignal;
}

/**
 * Merges when there are too many segments. Each entry is rewritten about once for every doubling of the index.
 *
 * @returns true when something was merged.
 */
export async function compactIfNeeded(io: Io, snapshot: Snapshot): Promise<boolean> {
  await deleteReplaced(io, snapshot.replaced);
  if (snapshot.segments.length <= MAX_SEGMENTS) return false;
  try {
    await mergeSegments(io, snapshot, choose(snapshot.segments));
    return true;
  } catch (error) {
    // Another process merged one of them meanwhile, so there is one merge less to do.
    if (isStagerError(error, 'BLOB_NOT_FOUND')) return false;
    throw error;
  }
}

/** The smallest ones; a larger one joins when what is merged so far is at least half of it. */
export function choose(segments: readonly Segment[]): readonly Segment[] {
  const sorted = [...segments].sort((a, b) => a.entries - b.entries);
  const chosen: Segment[] = [];
  let total = 0;
  for (const segment of sorted) {
    const enough = chosen.length > segments.length - MAX_SEGMENTS / 2;
    if (enough && segment.entries > total * 2) break;
    chosen.push(segment);
    total += segment.entries;
  }
  return chosen;
}

/** Writes one segment that replaces `chosen`, without the entries of packs that are gone. */
export async function mergeSegments(io: Io, snapshot: Snapshot, chosen: readonly Segment[]): Promise<void> {
  const plan = await planMerge(io, snapshot, chosen);
  const isWhole = chosen.length === snapshot.segments.length;
  const meta: Partial<SegmentMeta> = {
    packs: [...plan.packs],
    replaces: chosen.map(({ id }) => id),
    // Forgotten only when every entry that pointed there is gone, and long after any merge that could bring one back.
    dropped: namesOf(snapshot.dropped).filter(
      ({ atMs }) => !isWhole || atMs > Date.now() - REMEMBER_DROPPED_MS,
    ),
    condemned: namesOf(snapshot.condemned).filter(({ id }) => !snapshot.dropped.has(id)),
  };
  await writeSegment(io, plan, meta);
  await deleteReplaced(
    io,
    chosen.map(({ id }) => id),
  );
}

function namesOf(packs: ReadonlyMap<string, number>): { id: string; atMs: number }[] {
  return [...packs].map(([id, atMs]) => ({ id, atMs }));
}

async function deleteReplaced(io: Io, ids: readonly string[]): Promise<void> {
  for (const id of ids) await io.store.delete(segmentKey(io.tenant, id), { signal: io.signal });
}

/** An entry's place: which of the merged segments is next. `SKIP` marks one that is left out. */
const SKIP = 0x80;

async function planMerge(
  io: Io,
  snapshot: Snapshot,
  chosen: readonly Segment[],
): Promise<ColumnSource & { readonly packs: readonly PackRef[] }> {
  const packs: PackRef[] = [];
  const numberOf = new Map<string, number>();
  const renumber = chosen.map(({ meta }) =>
    meta.packs.map((pack) => {
      if (snapshot.dropped.has(pack.id)) return -1;
      const known = numberOf.get(pack.id);
      if (known !== undefined) return known;
      numberOf.set(pack.id, packs.length);
      return packs.push(pack) - 1;
    }),
  );
  // First pass: the order, one byte an entry. The rows are then read in that order, never held.
  const total = chosen.reduce((sum, { entries }) => sum + entries, 0);
  const order = new Uint8Array(total);
  let entries = 0;
  let rank = 0;
  for await (const { source, keep } of mergedKeys(io, chosen, renumber)) {
    order[rank++] = keep ? source : source | SKIP;
    if (keep) entries++;
  }
  async function* keys(): AsyncGenerator<Buffer, void, void> {
    const out = new BlockBuilder(KEY_BYTES);
    for await (const { keep, key, source } of mergedKeys(io, chosen, renumber)) {
      if (!keep) continue;
      const copy = out.add(key);
      copy.writeUInt32BE(renumber[source]?.[key.readUInt32BE(CONTENT_BYTES)] ?? 0, CONTENT_BYTES);
      if (out.isFull) yield out.take();
    }
    if (!out.isEmpty) yield out.take();
  }
  async function* rows(): AsyncGenerator<Buffer, void, void> {
    const cursors = chosen.map((segment) => new KeyCursor(io, segment, 'rows'));
    const out = new BlockBuilder(ROW_BYTES);
    for (const step of order) {
      const cursor = cursors[step & ~SKIP];
      const row = cursor?.peek() ?? (await cursor?.load());
      if (cursor === undefined || row === undefined) throw new Error('a segment has fewer rows than keys');
      if ((step & SKIP) === 0) out.add(row);
      cursor.advance();
      if (out.isFull) yield out.take();
    }
    if (!out.isEmpty) yield out.take();
  }
  return { entries, keys, rows, packs };
}

/** Keys of all segments in order, valid until the next one. Equal content in the same pack is kept once. */
async function* mergedKeys(
  io: Io,
  chosen: readonly Segment[],
  renumber: readonly (readonly number[])[],
): AsyncGenerator<PlacedKey & { readonly keep: boolean }, void, void> {
  let lastContent = Buffer.alloc(CONTENT_BYTES);
  let lastPacks: number[] = [];
  for await (const { source, key } of inKeyOrder(io, chosen)) {
    const pack = renumber[source]?.[key.readUInt32BE(CONTENT_BYTES)] ?? -1;
    if (!sameContent(key, lastContent)) {
      lastContent = Buffer.from(key.subarray(0, CONTENT_BYTES));
      lastPacks = [];
    }
    const keep = pack >= 0 && !lastPacks.includes(pack);
    if (keep) lastPacks.push(pack);
    yield { source, key, keep };
  }
}

/** Gathers entries to blocks. */
class BlockBuilder {
  readonly #width: number;
  #block: Buffer;
  #count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#block = Buffer.allocUnsafe(BLOCK_ENTRIES * width);
  }

  get isFull(): boolean {
    return this.#count === BLOCK_ENTRIES;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(entry: Buffer): Buffer {
    const start = this.#count++ * this.#width;
    entry.copy(this.#block, start);
    return this.#block.subarray(start, start + this.#width);
  }

  take(): Buffer {
    const block = this.#block.subarray(0, this.#count * this.#width);
    this.#block = Buffer.allocUnsafe(BLOCK_ENTRIES * this.#width);
    this.#count = 0;
    return block;
  }
}
