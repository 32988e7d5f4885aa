/**
 * Cuts the stream of entries into members, the units that are compressed, cached and joined.
 *
 * Where a member ends depends only on the names and sizes of the entries near the cut: after MIN bytes each entry
 * may end the member with a chance in proportion to its size, decided by a hash of its name. So a file that
 * is changed, added or removed touches its own member and, at worst, the few until the next common cut. A big file's
 * content is cut into blocks that hold nothing else, so a changed time in its header leaves them alone.
 */
import { BLOCK, headerBytes, padded } from './tar-header.ts';
import type { TreeEntry } from './tree-walk.ts';

/** One unit of work. Its bytes are known only to the worker that reads the files. */
export type Member =
  /** Whole entries; the last one's content follows in blocks when it is `big`. */
  | { readonly kind: 'entries'; readonly entries: readonly TreeEntry[]; readonly rawBytes: number }
  | {
      readonly kind: 'block';
      /** Byte string, host path of the file. */
      readonly host: string;
      /** Permission bits of the file. */
      readonly mode: number;
      readonly offset: number;
      /** Bytes of the file, then zeros up to `rawBytes`. */
      readonly length: number;
      readonly rawBytes: number;
      /** True for the block that must meet the end of the file. */
      readonly last: boolean;
      /** Hex digest that the whole file is known to have. */
      readonly sha256?: string;
    }
  /** The two zero blocks that end a tar. */
  | { readonly kind: 'end'; readonly rawBytes: number };

/** Larger files get members of their own. */
export const BIG_FILE = 512 * 1024;
/** Bytes of a big file in a member. */
export const BLOCK_BYTES = 1024 * 1024;
const MIN = 384 * 1024;
/** Mean bytes from MIN to the cut. */
const SPREAD = 512 * 1024;
const MAX = 2 * 1024 * 1024;
const MAX_ENTRIES = 4096;

/** True when the content of `entry` goes into blocks. */
export function isBig(entry: TreeEntry): boolean {
  return entry.size > BIG_FILE && entry.content === undefined;
}

/** Bytes that `entry` takes in a member of kind `entries`. */
function entryBytes(entry: TreeEntry): number {
  return headerBytes(entry) + (isBig(entry) ? 0 : padded(entry.size));
}

/** The members of an archive of `entries`, in order, the end included. */
export function* membersOf(entries: Iterable<TreeEntry>): Generator<Member> {
  let batch: TreeEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entryBytes(entry);
    if (batch.length > 0 && (bytes + size > MAX || batch.length === MAX_ENTRIES)) {
      yield { kind: 'entries', entries: batch, rawBytes: bytes };
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += size;
    if (isBig(entry) || (bytes >= MIN && hash(entry.name) < size / SPREAD)) {
      yield { kind: 'entries', entries: batch, rawBytes: bytes };
      batch = [];
      bytes = 0;
    }
    if (isBig(entry)) yield* blocksOf(entry);
  }
  if (batch.length > 0) yield { kind: 'entries', entries: batch, rawBytes: bytes };
  yield { kind: 'end', rawBytes: 2 * BLOCK };
}

function* blocksOf(entry: TreeEntry): Generator<Member> {
  for (let offset = 0; offset < entry.size; offset += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, entry.size - offset);
    const last = offset + length === entry.size;
    yield {
      kind: 'block',
      host: entry.host,
      mode: entry.mode,
      offset,
      length,
      rawBytes: padded(length),
      last,
      ...(entry.sha256 !== undefined && { sha256: entry.sha256 }),
    };
  }
}

/** FNV-1a of a byte string, as a fraction of 1. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  // The last multiplication alone leaves similar names close together.
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return ((value ^ (value >>> 12)) >>> 0) / 0x1_0000_0000;
}
