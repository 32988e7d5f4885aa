/**
 * What a tree of an app's package holds, as it was packaged: sorted by path, each file with the digest that its bytes had
 * when they were written.
 * In bytes, in memory as on disk: as objects 111,000 entries keep the collector busy for longer than all else takes.
 */
import { createHash } from 'node:crypto';
import { sha256Of } from '../../words/digest.ts';
import { isRefused, parseRelPath, type Sha256, sha256At } from '../../words/ids.ts';
import type { ListedEntry } from '../package/listing.ts';
import {
  HEAD_BYTES,
  KIND_AT,
  KINDS,
  type LayerEntry,
  MAGIC,
  MODE_AT,
  PATH_BYTES_AT,
  Parents,
  RECORD_BYTES,
  RecordWriter,
  SHA256_AT,
  SIZE_AT,
  TARGET_BYTES_AT,
  TIME_AT,
} from './entry-records.ts';

/** What a directory gets that nobody named; see TreeWriter. */
const IMPLIED_MODE = 0o755;

/** Entries by path, each directory before what is in it. Never changes. */
export class LayerEntries implements Iterable<LayerEntry> {
  readonly size: number;
  readonly #records: Buffer;
  readonly #text: Buffer;

  private constructor(records: Buffer, text: Buffer) {
    this.size = records.length / RECORD_BYTES;
    this.#records = records;
    this.#text = text;
  }

  /** The entries of a package, which are in path order, with all directories that they imply. */
  static async of(listing: Iterable<ListedEntry> | AsyncIterable<ListedEntry>): Promise<LayerEntries> {
    const writer = new RecordWriter();
    const parents = new Parents();
    for await (const entry of listing) {
      writer.add(entry);
      parents.add(entry);
    }
    const all = new LayerEntries(...writer.finish());
    return parents.missing.size === 0 ? all : all.#with(parents.missing);
  }

  /** @returns undefined when it is not what was kept under that name. */
  static parse(bytes: Buffer, id: Sha256): LayerEntries | undefined {
    if (bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
    const textAt = HEAD_BYTES + bytes.readUInt32LE(8) * RECORD_BYTES;
    if (textAt + bytes.readUInt32LE(12) !== bytes.length) return undefined;
    const all = new LayerEntries(bytes.subarray(HEAD_BYTES, textAt), bytes.subarray(textAt));
    return all.id === id ? all : undefined;
  }

  /** What is kept, in pieces. */
  get pieces(): readonly Buffer[] {
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32LE(this.size, 8);
    head.writeUInt32LE(this.#text.length, 12);
    return [head, this.#records, this.#text];
  }

  /** The digest of what is kept, which names the tree. */
  get id(): Sha256 {
    const digest = createHash('sha256');
    for (const piece of this.pieces) digest.update(piece);
    return sha256Of(digest);
  }

  /** Of the same entries. */
  equals(other: LayerEntries): boolean {
    return this.#records.equals(other.#records) && this.#text.equals(other.#text);
  }

  /** Whether one entry may stand for another list's. */
  isSameAt(index: number, other: LayerEntries, otherIndex: number): boolean {
    const [at, otherAt] = [index * RECORD_BYTES, otherIndex * RECORD_BYTES];
    const [end, otherEnd] = [at + RECORD_BYTES, otherAt + RECORD_BYTES];
    const [from, otherFrom] = [at + KIND_AT, otherAt + KIND_AT];
    if (this.#records.compare(other.#records, otherFrom, otherEnd, from, end) !== 0) return false;
    const [text, otherText] = [this.#textOf(index), other.#textOf(otherIndex)];
    return this.#text.compare(other.#text, otherText.at, otherText.end, text.at, text.end) === 0;
  }

  pathAt(index: number): string {
    return this.#text.toString('utf8', ...this.#pathOf(index));
  }

  /** As a byte string. */
  pathBytesAt(index: number): string {
    return this.#text.toString('latin1', ...this.#pathOf(index));
  }

  targetBytesAt(index: number): string {
    return this.#text.toString('latin1', this.#pathOf(index)[1], this.#textOf(index).end);
  }

  kindAt(index: number): LayerEntry['kind'] {
    return KINDS[this.#records[index * RECORD_BYTES + KIND_AT] ?? 0] ?? 'file';
  }

  modeAt(index: number): number {
    return this.#records.readUInt16LE(index * RECORD_BYTES + MODE_AT);
  }

  /** Of a directory that is only implied not a number. */
  mtimeMsAt(index: number): number {
    return this.#records.readDoubleLE(index * RECORD_BYTES + TIME_AT);
  }

  sizeBytesAt(index: number): number {
    return this.#records.readDoubleLE(index * RECORD_BYTES + SIZE_AT);
  }

  sha256At(index: number): Sha256 {
    return sha256At(this.#records, index * RECORD_BYTES + SHA256_AT);
  }

  at(index: number): LayerEntry {
    const path = parseRelPath(this.pathAt(index));
    if (isRefused(path)) throw new Error(`a tree's list names ${this.pathAt(index)}, which ${path.refused}`);
    const [kind, mode, mtimeMs] = [this.kindAt(index), this.modeAt(index), this.mtimeMsAt(index)];
    if (kind === 'directory')
      return { kind, path, mode, mtimeMs: Number.isNaN(mtimeMs) ? undefined : mtimeMs };
    if (kind === 'symlink') {
      const target = this.#text.toString('utf8', this.#pathOf(index)[1], this.#textOf(index).end);
      return { kind, path, mtimeMs, target };
    }
    return { kind, path, mode, mtimeMs, sizeBytes: this.sizeBytesAt(index), sha256: this.sha256At(index) };
  }

  *[Symbol.iterator](): Generator<LayerEntry, void, undefined> {
    for (let index = 0; index < this.size; index += 1) yield this.at(index);
  }

  #with(implied: ReadonlySet<string>): LayerEntries {
    const all = new Map<string, LayerEntry>();
    for (const text of implied) {
      const path = parseRelPath(text);
      if (isRefused(path)) continue;
      all.set(text, { kind: 'directory', path, mode: IMPLIED_MODE, mtimeMs: undefined });
    }
    for (const entry of this) all.set(entry.path, entry);
    const writer = new RecordWriter();
    for (const [, entry] of [...all].sort(([a], [b]) => (a < b ? -1 : 1))) writer.add(entry);
    return new LayerEntries(...writer.finish());
  }

  #textOf(index: number): { readonly at: number; readonly end: number } {
    const at = this.#records.readUInt32LE(index * RECORD_BYTES);
    return {
      at,
      end: this.#pathOf(index)[1] + this.#records.readUInt16LE(index * RECORD_BYTES + TARGET_BYTES_AT),
    };
  }

  #pathOf(index: number): [number, number] {
    const at = this.#records.readUInt32LE(index * RECORD_BYTES);
    return [at, at + this.#records.readUInt16LE(index * RECORD_BYTES + PATH_BYTES_AT)];
  }
}
