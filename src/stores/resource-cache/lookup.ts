/**
 * Finding many fingerprints in an index at once: queries and index are both sorted, so each segment is read in at
 * most {@link MAX_RUNS} ranges, however many fingerprints are asked for, and only one block is in memory.
 */
import type { Sha1, Sha256 } from '../../words/ids.ts';
import { BLOCK_ENTRIES, decodeEntry, KEY_BYTES, type LocatedResource, ROW_BYTES } from './format.ts';
import { type BlockRun, readBlocks, type Segment, type StoreAccess } from './segment.ts';
import type { Snapshot } from './snapshot.ts';

/** Requests per segment: a few hundred fingerprints read little of a large index, and many read it once. */
const MAX_RUNS = 8;
const SHA1_BYTES = 20;
/** Of a key: sha1, how the sha256 begins, size. Its pack follows. */
const ASKED_BYTES = 32;
/** No content has more. */
const MOST_BYTES = 2 ** 48 - 1;
/** No content begins with it: six bytes are less. */
const UNKNOWN = 2 ** 48;

/** What is asked for. Without sha256 (Cloud Foundry's protocol has none) an ambiguous sha1 is not known. */
export interface Fingerprint {
  readonly sha1: Sha1;
  readonly sha256?: Sha256;
  readonly sizeBytes: number;
}

interface Hit {
  readonly query: number;
  readonly segment: Segment;
  readonly entry: number;
  /** Full key bytes. */
  readonly key: Buffer;
}

/** Queries in the order of the index. */
class Queries {
  readonly order: Uint32Array;
  readonly #prefix: Float64Array;
  /** The key of each, without a pack. */
  readonly #keys: Buffer;
  readonly fingerprints: readonly Fingerprint[];

  constructor(fingerprints: readonly Fingerprint[]) {
    this.fingerprints = fingerprints;
    const keys = Buffer.alloc(fingerprints.length * ASKED_BYTES);
    this.#keys = keys;
    this.#prefix = new Float64Array(fingerprints.length);
    for (const [query, { sha1, sha256, sizeBytes }] of fingerprints.entries()) {
      const at = query * ASKED_BYTES;
      keys.write(sha1, at, 'hex');
      if (sha256 !== undefined) keys.write(sha256.slice(0, 12), at + SHA1_BYTES, 'hex');
      keys.writeUIntBE(Math.min(sizeBytes, MOST_BYTES), at + SHA1_BYTES + 6, 6);
      this.#prefix[query] = keys.readUIntBE(at, 6);
    }
    const prefix = this.#prefix;
    this.order = Uint32Array.from(fingerprints.keys()).sort((a, b) => (prefix[a] ?? 0) - (prefix[b] ?? 0));
  }

  prefixAt(rank: number): number {
    return this.#prefix[this.order[rank] ?? 0] ?? 0;
  }

  /** Whether what a key is about is what is asked for. */
  isAnswer(query: number, key: Buffer): boolean {
    const from = query * ASKED_BYTES;
    const same = (start: number, end: number): boolean =>
      key.compare(this.#keys, from + start, from + end, start, end) === 0;
    if (this.fingerprints[query]?.sha256 !== undefined) return same(0, ASKED_BYTES);
    return same(0, SHA1_BYTES) && same(SHA1_BYTES + 6, ASKED_BYTES);
  }

  /** First rank whose prefix is not below `value`. */
  lowerBound(value: number): number {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.prefixAt(middle) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Which fingerprints are known, in their order. A pack that is condemned or gone does not count, nor does a sha1 that
 * stands for two contents when no sha256 tells them apart.
 */
export async function match(
  io: StoreAccess,
  snapshot: Snapshot,
  fingerprints: readonly Fingerprint[],
): Promise<readonly boolean[]> {
  const queries = new Queries(fingerprints);
  // By query: how the sha256 of what is known begins, as a number. A large app asks for all of its files at once.
  const contents = new Float64Array(fingerprints.length).fill(UNKNOWN);
  const ambiguous = new Set<number>();
  for (const segment of snapshot.segments) {
    const unusable = new Set<number>();
    segment.meta.packs.forEach(({ id }, n) => {
      if (snapshot.dropped.has(id) || snapshot.condemned.has(id)) unusable.add(n);
    });
    for await (const block of hits(io, segment, queries)) {
      for (const { query, key } of block) {
        if (unusable.has(key.readUInt32BE(32))) continue;
        const content = key.readUIntBE(20, 6);
        const other = contents[query];
        if (other !== UNKNOWN && other !== content) ambiguous.add(query);
        contents[query] = content;
      }
    }
  }
  return fingerprints.map((_, query) => contents[query] !== UNKNOWN && !ambiguous.has(query));
}

/**
 * Where the resources are, in the order of the fingerprints; undefined for what is not known. Packs that are condemned
 * are still read when no other has the content.
 */
export async function locate(
  io: StoreAccess,
  snapshot: Snapshot,
  fingerprints: readonly Fingerprint[],
): Promise<readonly (LocatedResource | undefined)[]> {
  const queries = new Queries(fingerprints);
  const found = new Map<number, LocatedResource>();
  const ambiguous = new Set<number>();
  for (const segment of snapshot.segments) {
    const wanted: Hit[] = [];
    for await (const block of hits(io, segment, queries))
      for (const hit of block) wanted.push({ ...hit, key: Buffer.from(hit.key) });
    for await (const { query, resource } of rowsOf(io, segment, wanted)) {
      if (snapshot.dropped.has(resource.pack)) continue;
      const { sha256 } = fingerprints[query] ?? {};
      if (sha256 !== undefined && sha256 !== resource.sha256) continue;
      const other = found.get(query);
      if (other !== undefined && other.sha256 !== resource.sha256) ambiguous.add(query);
      if (other === undefined || snapshot.condemned.has(other.pack)) found.set(query, resource);
    }
  }
  return fingerprints.map((_, query) => (ambiguous.has(query) ? undefined : found.get(query)));
}

/** Entries of a segment that answer a query, block by block. `key` is valid until the next block. */
async function* hits(
  io: StoreAccess,
  segment: Segment,
  queries: Queries,
): AsyncGenerator<Iterable<Hit>, void, void> {
  for (const run of runsOf(segment, queries)) {
    for await (const { block, bytes } of readBlocks(io, segment, { ...run, column: 'keys' })) {
      yield hitsInBlock({ segment, block, bytes }, queries);
    }
  }
}

function* hitsInBlock(
  at: { readonly segment: Segment; readonly block: number; readonly bytes: Buffer },
  queries: Queries,
): Generator<Hit, void, void> {
  const { bytes } = at;
  const count = bytes.length / KEY_BYTES;
  const first = bytes.readUIntBE(0, 6);
  const last = bytes.readUIntBE((count - 1) * KEY_BYTES, 6);
  // Both are sorted, so both are gone through once.
  for (let [rank, from] = [queries.lowerBound(first), 0]; rank < queries.order.length; rank++) {
    const value = queries.prefixAt(rank);
    if (value > last) return;
    const query = queries.order[rank] ?? 0;
    while (from < count && bytes.readUIntBE(from * KEY_BYTES, 6) < value) from++;
    for (let n = from; n < count; n++) {
      const start = n * KEY_BYTES;
      if (bytes.readUIntBE(start, 6) !== value) break;
      const key = bytes.subarray(start, start + KEY_BYTES);
      if (queries.isAnswer(query, key))
        yield { query, segment: at.segment, entry: at.block * BLOCK_ENTRIES + n, key };
    }
  }
}

/** Blocks that can answer a query, as few ranges: the widest gaps between them are left out. */
function runsOf(segment: Segment, queries: Queries): readonly BlockRun[] {
  const needed: number[] = [];
  segment.blocks.forEach(({ first }, block) => {
    const next = segment.blocks[block + 1]?.first ?? Number.POSITIVE_INFINITY;
    const rank = queries.lowerBound(first);
    if (rank < queries.order.length && queries.prefixAt(rank) <= next) needed.push(block);
  });
  if (needed.length === 0) return [];
  const gaps = needed
    .slice(1)
    .map((block, n) => ({ at: n + 1, width: block - (needed[n] ?? 0) }))
    .filter(({ width }) => width > 1)
    .sort((a, b) => b.width - a.width)
    .slice(0, MAX_RUNS - 1)
    .map(({ at }) => at)
    .sort((a, b) => a - b);
  const starts = [0, ...gaps];
  return starts.map((start, n) => ({
    from: needed[start] ?? 0,
    to: (needed[(starts[n + 1] ?? needed.length) - 1] ?? 0) + 1,
  }));
}

/** The full entries of hits; reads the rows from the first to the last block that has one. */
async function* rowsOf(
  io: StoreAccess,
  segment: Segment,
  wanted: readonly Hit[],
): AsyncGenerator<{ readonly query: number; readonly resource: LocatedResource }, void, void> {
  const byBlock = Map.groupBy(wanted, ({ entry }) => Math.floor(entry / BLOCK_ENTRIES));
  const blocks = [...byBlock.keys()];
  if (blocks.length === 0) return;
  const run = {
    from: blocks.reduce((a, b) => Math.min(a, b)),
    to: blocks.reduce((a, b) => Math.max(a, b)) + 1,
  };
  for await (const { block, bytes } of readBlocks(io, segment, { ...run, column: 'rows' })) {
    for (const { query, entry, key } of byBlock.get(block) ?? []) {
      const start = (entry % BLOCK_ENTRIES) * ROW_BYTES;
      const resource = decodeEntry(key, bytes.subarray(start, start + ROW_BYTES), segment.meta.packs);
      if (resource !== undefined) yield { query, resource };
    }
  }
}
