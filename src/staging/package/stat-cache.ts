/**
 * What is known of files from an earlier run, so that an unchanged app is not read again: path, size, mtime and ctime in
 * nanoseconds and inode → digests, as in git's index.
 *
 * git's racy rule: a file that is changed twice within one tick of the file system's clock looks the same after the
 * second change. So a file whose times are not safely older than the moment before it was read is not remembered; it
 * is read again next time.
 *
 * Only a cache: whatever is wrong with the file on disk, it is taken for empty, and the next run is slower.
 *
 *     head      16       "STGRSTC2" files u32 bytes-of-paths u32
 *     records   n × 84   size u64 mtimeNs i64 ctimeNs i64 inode u64 sha1[20] sha256[32]      in the order of the walk
 *     paths              UTF-8, each ended by a NUL
 *     foot      4        crc32 of all before
 *
 * Records of a fixed size are compared where they lie: 42,000 lines of text cost ten times the time and memory.
 */
import { type BigIntStats, lstatSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { asidePath } from '../../machine/host/process-label.ts';
import type { Digests } from '../../stores/blobs/port/digests.ts';
import { sha1At, sha256At } from '../../words/ids.ts';
import type { FileStat } from '../source/entry.ts';

const MAGIC = 'STGRSTC2';
const HEAD_BYTES = 16;
const RECORD_BYTES = 84;
/** The part of a record that is compared. */
const IDENTITY_BYTES = 32;
/** The coarsest clocks of file systems tick every two seconds (FAT). */
const RACY_NS = 2_000_000_000n;
const NOTHING: Known = { files: 0, names: Buffer.alloc(0), records: Buffer.alloc(0) };

/** Number of a file, and where its path begins. */
interface Place {
  readonly number: number;
  readonly at: number;
}

interface Known {
  readonly files: number;
  /** Paths, each ended by a NUL. */
  readonly names: Buffer;
  readonly records: Buffer;
}

/** Digests of files that have not changed since they were last read. */
export class StatCache {
  readonly #path: string | undefined;
  readonly #known: Known;
  readonly #nextPaths: string[] = [];
  #next: Buffer;
  /** Where the next path is expected: files are asked for in the order in which they were remembered. */
  #cursor = 0;
  /** Where its path begins. */
  #cursorAt = 0;
  #places: ReadonlyMap<string, Place> | undefined;
  #changed = false;

  private constructor(path: string | undefined, known: Known) {
    this.#path = path;
    this.#known = known;
    this.#next = Buffer.allocUnsafe(known.records.length + 64 * RECORD_BYTES);
  }

  /** Reads the cache at `path`; without a path nothing is remembered. */
  static async open(path: string | undefined): Promise<StatCache> {
    if (path === undefined) return new StatCache(undefined, NOTHING);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    return new StatCache(path, parse(bytes) ?? NOTHING);
  }

  /** The digests of an unchanged file, which are kept for the next time. */
  get(path: string, stat: FileStat, sizeBytes: number): Digests | undefined {
    const number = this.#numberOf(path);
    if (number === undefined) return undefined;
    const { records } = this.#known;
    const at = number * RECORD_BYTES;
    if (
      records.readBigUInt64LE(at) !== BigInt(sizeBytes) ||
      records.readBigInt64LE(at + 8) !== stat.mtimeNs ||
      records.readBigInt64LE(at + 16) !== stat.ctimeNs ||
      records.readBigUInt64LE(at + 24) !== stat.inode
    ) {
      return undefined;
    }
    const sha1 = sha1At(records, at + IDENTITY_BYTES);
    const sha256 = sha256At(records, at + IDENTITY_BYTES + 20);
    records.copy(this.#next, this.#append(path), at, at + RECORD_BYTES);
    return { sha1, sha256, sizeBytes };
  }

  /** Remembers a file whose `stat` was taken before it was read; `nowNs` is the time before that. */
  set(path: string, file: { readonly stat: FileStat; readonly nowNs: bigint }, digests: Digests): void {
    const { stat, nowNs } = file;
    this.#changed = true;
    if (stat.mtimeNs > nowNs - RACY_NS || stat.ctimeNs > nowNs - RACY_NS) return;
    const at = this.#append(path);
    this.#next.writeBigUInt64LE(BigInt(digests.sizeBytes), at);
    this.#next.writeBigInt64LE(stat.mtimeNs, at + 8);
    this.#next.writeBigInt64LE(stat.ctimeNs, at + 16);
    this.#next.writeBigUInt64LE(stat.inode, at + 24);
    this.#next.write(digests.sha1, at + IDENTITY_BYTES, 20, 'hex');
    this.#next.write(digests.sha256, at + IDENTITY_BYTES + 20, 32, 'hex');
  }

  /** Writes what was seen since {@link StatCache.open}, when it differs. A failure costs time next time, so none is shown. */
  async save(): Promise<void> {
    const paths = this.#nextPaths;
    if (this.#path === undefined) return;
    if (!this.#changed && paths.length === this.#known.files) return;
    const aside = asidePath(this.#path);
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const bytes = encode(paths, this.#next.subarray(0, paths.length * RECORD_BYTES));
      await writeFile(aside, bytes, { mode: 0o600 });
      await rename(aside, this.#path);
    } catch {
      await rm(aside, { force: true }).catch(() => undefined);
    }
  }

  #numberOf(path: string): number | undefined {
    const { names } = this.#known;
    let end = names.indexOf(0, this.#cursorAt);
    if (end < 0 || names.toString('utf8', this.#cursorAt, end) !== path) {
      this.#places ??= placesOf(names);
      const place = this.#places.get(path);
      if (place === undefined) return undefined;
      this.#cursor = place.number;
      end = names.indexOf(0, place.at);
    }
    this.#cursorAt = end + 1;
    return this.#cursor++;
  }

  /** Makes room for a record. @returns where. */
  #append(path: string): number {
    const at = this.#nextPaths.length * RECORD_BYTES;
    this.#nextPaths.push(path);
    if (at + RECORD_BYTES > this.#next.length) {
      const grown = Buffer.allocUnsafe(this.#next.length * 2);
      this.#next.copy(grown);
      this.#next = grown;
    }
    return at;
  }
}

/** The current stat of a file for the cache, or undefined when it is gone. */
export function statOf(hostPath: string): (FileStat & { readonly sizeBytes: number }) | undefined {
  const stat: BigIntStats | undefined = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return { mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, inode: stat.ino, sizeBytes: Number(stat.size) };
}

function encode(paths: readonly string[], records: Buffer): Buffer {
  const names = Buffer.from(paths.map((path) => `${path}\0`).join(''));
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt32LE(paths.length, 8);
  head.writeUInt32LE(names.length, 12);
  const foot = Buffer.alloc(4);
  foot.writeUInt32LE(crc32(names, crc32(records, crc32(head))));
  return Buffer.concat([head, records, names, foot]);
}

/** @returns undefined when it is not a whole cache of this version. */
function parse(bytes: Buffer): Known | undefined {
  if (bytes.length < HEAD_BYTES + 4 || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  const files = bytes.readUInt32LE(8);
  const namesAt = HEAD_BYTES + files * RECORD_BYTES;
  const end = namesAt + bytes.readUInt32LE(12);
  if (end + 4 !== bytes.length || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return undefined;
  return { files, names: bytes.subarray(namesAt, end), records: bytes.subarray(HEAD_BYTES, namesAt) };
}

function placesOf(names: Buffer): ReadonlyMap<string, Place> {
  const all = new Map<string, Place>();
  for (let [number, at] = [0, 0]; at < names.length; number += 1) {
    const end = names.indexOf(0, at);
    all.set(names.toString('utf8', at, end), { number, at });
    at = end + 1;
  }
  return all;
}
