/**
 * How the list of a tree's entries lies in bytes, in memory and on disk:
 *
 *     head      16       "STGRTREE" entries u32 bytes-of-text u32
 *     records   n × 64   text-at u32 kind u8 0 mode u16 bytes-of-path u16 bytes-of-target u16 0 u32 mtimeMs f64 size f64
 *                        sha256[32]
 *     text               path, then target of each, UTF-8
 */
import type { RelPath, Sha256 } from '../../words/ids.ts';
import type { ListedEntry } from '../package/listing.ts';

/** One entry: a directory that only follows from what is in it is one as well. */
export type LayerEntry =
  | {
      readonly kind: 'file';
      readonly path: RelPath;
      readonly mode: number;
      readonly mtimeMs: number;
      readonly sizeBytes: number;
      readonly sha256: Sha256;
    }
  | {
      readonly kind: 'directory';
      readonly path: RelPath;
      readonly mode: number;
      /** Absent: nobody said. */
      readonly mtimeMs: number | undefined;
    }
  | { readonly kind: 'symlink'; readonly path: RelPath; readonly mtimeMs: number; readonly target: string };

export const KINDS = ['file', 'directory', 'symlink'] as const;
export const MAGIC = 'STGRTREE';
export const HEAD_BYTES = 16;
export const RECORD_BYTES = 64;
/** Of a record. Where its text is differs from list to list; what follows, from the kind on, does not. */
export const KIND_AT = 4;
export const MODE_AT = 6;
export const PATH_BYTES_AT = 8;
export const TARGET_BYTES_AT = 10;
export const TIME_AT = 16;
export const SIZE_AT = 24;
export const SHA256_AT = 32;
/** The longest path or target, in UTF-8. */
const MOST_TEXT = 3 * 4096;

/** Writes records and text. */
export class RecordWriter {
  #records: Buffer = Buffer.alloc(1024 * RECORD_BYTES);
  #text: Buffer = Buffer.allocUnsafe(64 * 1024);
  #recordsEnd = 0;
  #textEnd = 0;

  add(entry: ListedEntry | LayerEntry): void {
    if (this.#recordsEnd === this.#records.length) this.#records = grown(this.#records, this.#recordsEnd);
    if (this.#textEnd + 2 * MOST_TEXT > this.#text.length) this.#text = grown(this.#text, this.#textEnd);
    const [records, at] = [this.#records, this.#recordsEnd];
    const [textAt, pathBytes] = [this.#textEnd, this.#text.write(entry.path, this.#textEnd)];
    this.#textEnd += pathBytes;
    records.writeUInt32LE(textAt, at);
    records[at + KIND_AT] = KINDS.indexOf(entry.kind);
    records.writeUInt16LE(entry.kind === 'symlink' ? 0o777 : entry.mode, at + MODE_AT);
    records.writeUInt16LE(pathBytes, at + PATH_BYTES_AT);
    records.writeDoubleLE(entry.mtimeMs ?? Number.NaN, at + TIME_AT);
    if (entry.kind === 'symlink') {
      const targetBytes = this.#text.write(entry.target, this.#textEnd);
      records.writeUInt16LE(targetBytes, at + TARGET_BYTES_AT);
      this.#textEnd += targetBytes;
    } else if (entry.kind === 'file') {
      records.writeDoubleLE(entry.sizeBytes, at + SIZE_AT);
      records.write(entry.sha256, at + SHA256_AT, 'hex');
    }
    this.#recordsEnd += RECORD_BYTES;
  }

  finish(): [Buffer, Buffer] {
    return [this.#records.subarray(0, this.#recordsEnd), this.#text.subarray(0, this.#textEnd)];
  }
}

/** Finds directories that nobody names. Entries come in path order. */
export class Parents {
  readonly missing = new Set<string>();
  readonly #named = new Set<string>();
  #last = '';

  add({ path, kind }: ListedEntry): void {
    if (kind === 'directory') this.#named.add(path);
    let slash = path.lastIndexOf('/');
    if (slash <= 0 || (slash === this.#last.length && path.startsWith(this.#last))) return;
    this.#last = path.slice(0, slash);
    for (; slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (this.#named.has(parent) || this.missing.has(parent)) return;
      this.missing.add(parent);
    }
  }
}

function grown(bytes: Buffer, used: number): Buffer {
  const more = Buffer.alloc(bytes.length * 2);
  bytes.copy(more, 0, 0, used);
  return more;
}
