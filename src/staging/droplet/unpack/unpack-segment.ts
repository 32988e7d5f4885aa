/**
 * Decompresses one segment of an archive and writes its files. Links are not made here at all but handed back and made
 * last, when every file is in place.
 */
import { gunzipSync } from 'node:zlib';
import { errnoOf } from '../../../words/errors.ts';
import { BLOCK, padded } from '../tar/tar-header.ts';
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
} from '../tar/tar-parse.ts';
import { Failed, UnpackTarget } from './unpack-files.ts';

/** Where to, and whose it is. */
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

const NOTHING: UnpackReply = { files: 0, later: [], entries: 0, ended: false };

/** Does tasks, one at a time; what is wrong with one is its answer. */
export function createUnpacker({ dest, owner }: UnpackWorkerData): (task: UnpackTask) => UnpackReply {
  const files = new UnpackTarget(dest, owner);
  return (task) => {
    try {
      return perform(task, files);
    } catch (error) {
      if (error instanceof Refused) return { ...NOTHING, refused: error.message };
      if (error instanceof Failed) return { ...NOTHING, failed: { errno: error.errno, path: error.path } };
      throw error;
    }
  };
}

function perform(task: UnpackTask, files: UnpackTarget): UnpackReply {
  if (task.kind === 'finish') {
    files.finish(task.entry);
    return NOTHING;
  }
  const raw = content(task);
  if (task.kind === 'entries') return writeEntries(raw, files);
  if (raw.length !== padded(task.length)) throw new Refused('a piece of a file has the wrong length');
  files.writePiece(task.path, raw.subarray(0, task.length), task.offset);
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
    throw new Refused('a gzip member has a different length than its header says');
  return raw;
}

function writeEntries(raw: Buffer, files: UnpackTarget): UnpackReply {
  const later: ParsedEntry[] = [];
  let written = 0;
  let entries = 0;
  let overrides: Overrides = {};
  let at = 0;
  while (at < raw.length) {
    if (at + BLOCK > raw.length) throw new Refused('a header is cut off');
    if (isZeroBlock(raw, at)) {
      demandZeros(raw, at);
      return { files: written, later, entries, ended: true };
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
      if (entry.type === 'directory') files.makeDirectory(entry.path);
      continue;
    }
    written += 1;
    // Content that is not here comes in pieces: then nothing else may be here either.
    if (at === raw.length && size > 0) {
      files.createEmpty(entry.path);
      return { files: written, later, entries, open: entry, ended: false };
    }
    if (at + padded(size) > raw.length) throw new Refused('the content of a file is cut off');
    files.write(entry, raw.subarray(at, at + size));
    at += padded(size);
  }
  if (Object.keys(overrides).length > 0) throw new Refused('a long name has no entry');
  return { files: written, later, entries, ended: false };
}

function demandZeros(raw: Buffer, from: number): void {
  for (let i = from; i < raw.length; i++) if (raw[i] !== 0) throw new Refused('it continues after its end');
}
