/**
 * Worker thread: decompresses one segment of an archive and writes its files.
 *
 * Nothing is ever written through a link. Symbolic links are not made here at all but handed back and made last,
 * when every file is in place; directories above a file are made one by one and must be real; files are created,
 * never opened where something exists.
 */
import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import { errnoOf } from '../errors.ts';
import { BLOCK, padded } from './tar-header.ts';
import {
  applyMeta,
  contentSize,
  entryOf,
  isMeta,
  isZeroBlock,
  metaBytes,
  type Overrides,
  type ParsedEntry,
  parseHeader,
  Refused,
} from './tar-parse.ts';
import { hostPathOf, readable } from './tree-walk.ts';

/** What a worker is started with. */
export interface UnpackWorkerData {
  /** Byte string, ends without `/`. */
  readonly dest: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** One segment, or the last touch to a file that was written in pieces. */
export type UnpackTask =
  | {
      readonly kind: 'entries';
      readonly gzip: boolean;
      readonly bytes: Uint8Array;
      readonly rawBytes: number;
    }
  | {
      readonly kind: 'piece';
      readonly gzip: boolean;
      readonly bytes: Uint8Array;
      readonly rawBytes: number;
      readonly path: string;
      readonly offset: number;
      /** Bytes of the file in this piece; padding follows. */
      readonly length: number;
    }
  | { readonly kind: 'finish'; readonly entry: ParsedEntry };

/** What is left for later, and what was found; or why it was not done. */
export interface UnpackReply {
  readonly files: number;
  /** Entries whose turn comes when all files are written. */
  readonly later: readonly ParsedEntry[];
  /** Number of entries, meta entries included. */
  readonly entries: number;
  /** A file whose content follows in pieces. */
  readonly open?: ParsedEntry;
  /** The end of the archive was reached. */
  readonly ended: boolean;
  readonly refused?: string;
  readonly failed?: { readonly errno: string; readonly path: string };
}

const data: UnpackWorkerData = workerData;
const realDirectories = new Set<string>(['']);
const NOTHING: UnpackReply = { files: 0, later: [], entries: 0, ended: false };

/** A system call that failed, with the path it was for. */
class Failed extends Error {
  readonly errno: string;
  readonly path: string;

  constructor(path: string, error: unknown) {
    super(path, { cause: error });
    this.errno = errnoOf(error) ?? String(error);
    this.path = readable(path);
  }
}

parentPort?.on('message', (task: UnpackTask) => {
  try {
    parentPort?.postMessage(perform(task));
  } catch (error) {
    if (error instanceof Refused) parentPort?.postMessage({ ...NOTHING, refused: error.message });
    else if (error instanceof Failed) {
      parentPort?.postMessage({ ...NOTHING, failed: { errno: error.errno, path: error.path } });
    } else throw error;
  }
});

function perform(task: UnpackTask): UnpackReply {
  if (task.kind === 'finish') {
    const fd = attempt(task.entry.path, () =>
      openSync(hostOf(task.entry.path), constants.O_WRONLY | constants.O_NOFOLLOW),
    );
    finish(fd, task.entry);
    return NOTHING;
  }
  const raw = content(task);
  if (task.kind === 'entries') return writeEntries(raw);
  writePiece(task, raw);
  return NOTHING;
}

function content(task: UnpackTask & { kind: 'entries' | 'piece' }): Buffer {
  const bytes = Buffer.from(task.bytes.buffer, task.bytes.byteOffset, task.bytes.byteLength);
  if (!task.gzip) return bytes;
  let raw: Buffer;
  try {
    raw = gunzipSync(bytes, { maxOutputLength: task.rawBytes + 1, chunkSize: task.rawBytes + 64 });
  } catch (error) {
    throw new Refused(`a gzip member is damaged (${errnoOf(error) ?? 'unknown'})`);
  }
  if (raw.length !== task.rawBytes)
    throw new Refused('a gzip member has another length than its header says');
  return raw;
}

function writeEntries(raw: Buffer): UnpackReply {
  const later: ParsedEntry[] = [];
  let files = 0;
  let entries = 0;
  let overrides: Overrides = {};
  let at = 0;
  while (at < raw.length) {
    if (at + BLOCK > raw.length) throw new Refused('a header is cut off');
    if (isZeroBlock(raw, at)) {
      demandZeros(raw, at);
      return { files, later, entries, ended: true };
    }
    const header = parseHeader(raw, at);
    at += BLOCK;
    entries += 1;
    const size = isMeta(header) ? metaBytes(header) : contentSize(header, overrides);
    if (isMeta(header)) {
      overrides = applyMeta(header, raw.subarray(at, at + header.size), overrides);
      at += size;
      continue;
    }
    const entry = entryOf(header, overrides);
    overrides = {};
    if (entry.type !== 'file') {
      later.push(entry);
      if (entry.type === 'directory') makeDirectory(entry.path);
      continue;
    }
    files += 1;
    // Content that is not here comes in pieces: then nothing else may be here either.
    if (at === raw.length && size > 0) {
      closeSync(create(entry.path));
      return { files, later, entries, open: entry, ended: false };
    }
    if (at + padded(size) > raw.length) throw new Refused('the content of a file is cut off');
    writeFile(entry, raw.subarray(at, at + size));
    at += padded(size);
  }
  if (Object.keys(overrides).length > 0) throw new Refused('a long name has no entry');
  return { files, later, entries, ended: false };
}

function demandZeros(raw: Buffer, from: number): void {
  for (let i = from; i < raw.length; i++) if (raw[i] !== 0) throw new Refused('it goes on behind its end');
}

function writeFile(entry: ParsedEntry, bytes: Buffer): void {
  const fd = create(entry.path);
  attempt(entry.path, () => writeAll(fd, bytes, 0), fd);
  finish(fd, entry);
}

function writePiece(task: UnpackTask & { kind: 'piece' }, raw: Buffer): void {
  if (raw.length !== padded(task.length)) throw new Refused('a piece of a file has the wrong length');
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW;
  const fd = attempt(task.path, () => openSync(hostOf(task.path), flags));
  attempt(task.path, () => writeAll(fd, raw.subarray(0, task.length), task.offset), fd);
  closeSync(fd);
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Creates a file that must not exist. */
function create(path: string): number {
  makeDirectory(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    return openSync(hostOf(path), flags, 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw new Refused(`${readable(path)} exists already or is in it twice`);
    throw new Failed(path, error);
  }
}

/** Owner before mode, since a change of owner clears bits; time last, since all else changes it. Closes `fd`. */
function finish(fd: number, entry: ParsedEntry): void {
  const { owner } = data;
  attempt(
    entry.path,
    () => {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      fchmodSync(fd, entry.mode);
      futimesSync(fd, entry.mtime, entry.mtime);
    },
    fd,
  );
  closeSync(fd);
}

/** Makes a directory and those above it; every one must be a directory itself, not a link to one. */
function makeDirectory(path: string): void {
  if (realDirectories.has(path)) return;
  makeDirectory(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  try {
    mkdirSync(hostOf(path), 0o755);
    if (data.owner !== undefined) chownSync(hostOf(path), data.owner.uid, data.owner.gid);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw new Failed(path, error);
    if (!lstatSync(hostOf(path)).isDirectory()) {
      throw new Refused(`${readable(path)} is used as a directory and as something else`);
    }
  }
  realDirectories.add(path);
}

/** Runs a system call; when it fails `fd` is closed and the failure gets its path. */
function attempt<T>(path: string, call: () => T, fd?: number): T {
  try {
    return call();
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw new Failed(path, error);
  }
}

function hostOf(path: string): string | Buffer {
  return hostPathOf(`${data.dest}/${path}`);
}
