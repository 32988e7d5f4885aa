/**
 * Reads the files of one member, builds its piece of the tar, and compresses it or finds it in the cache. System calls
 * are synchronous, which is what makes a thread fast at 42,000 small files.
 */
import { createHash, hash } from 'node:crypto';
import { chmodSync, closeSync, constants, fchmodSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../../../words/errors.ts';
import { isBig, type Member } from '../tar/members.ts';
import { padded, writeHeader } from '../tar/tar-header.ts';
import { hostPathOf, readable, type TreeEntry } from '../tar/tree-walk.ts';
import type { Compression } from './compression.ts';
import { SPAN_BYTES, type Span } from './deflate.ts';
import { MemberFiles } from './member-cache.ts';
import { MemberCodec, type MemberRecipe } from './member-codec.ts';

/** How members are packed. */
export interface MemberPacking {
  /** `digest`: no archive, only the sha256 of every member's content. */
  readonly compression: Compression | { readonly codec: 'digest' };
  readonly cache?: { readonly dir: string; readonly engine: string };
}

/** What is asked for: a member that the cache may have, a member, or one that the cache has not. */
export type PackTask =
  | { readonly recipe: MemberRecipe; readonly member?: undefined }
  | { readonly recipe?: MemberRecipe | undefined; readonly member: Member };

/** A member's bytes; or that the cache has none, or why there are none. */
export type MemberReply =
  | { readonly unknown: true }
  | { readonly bytes: Uint8Array; readonly cached: boolean; readonly cacheFault?: string }
  | { readonly failed: string; readonly path: string };

/** A file that is not what the walk saw. */
class Unpackable extends Error {
  readonly path: string;

  constructor(host: string, what: string) {
    super(what);
    this.path = readable(host);
  }
}

/** Packs or finds one member; the bytes of its answer are the caller's. */
export type MemberPacker = (task: PackTask) => MemberReply;

/** A packer that keeps what it needs from one member to the next. */
export function createMemberPacker(packing: MemberPacking): MemberPacker {
  const codec = codecOf(packing);
  return (task) => answer(task, { packing, codec });
}

/** The piece of the tar that is being built; a thread packs one member at a time. */
let scratch = Buffer.allocUnsafeSlow(0);

function codecOf({ compression, cache }: MemberPacking): MemberCodec | undefined {
  if (compression.codec === 'none' || compression.codec === 'digest') return undefined;
  if (cache === undefined) return new MemberCodec({ compression });
  return new MemberCodec({ compression, cache: { files: new MemberFiles(cache.dir), engine: cache.engine } });
}

function answer(
  task: PackTask,
  { packing, codec }: { readonly packing: MemberPacking; readonly codec: MemberCodec | undefined },
): MemberReply {
  try {
    if (task.member === undefined) {
      const known = codec?.recall(task.recipe);
      return known === undefined ? { unknown: true } : { ...known, bytes: owned(known.bytes) };
    }
    const { member, recipe } = task;
    const { raw, spans } = contentOf(member);
    if (codec !== undefined) {
      const { bytes, ...rest } = codec.encode(raw, { piece: member.kind === 'block', spans }, recipe);
      return { bytes: owned(bytes), ...rest };
    }
    if (packing.compression.codec === 'none') return { bytes: owned(raw), cached: false };
    return { bytes: owned(Buffer.from(hash('sha256', raw, 'hex'))), cached: false };
  } catch (error) {
    if (error instanceof Unpackable) return { failed: error.message, path: error.path };
    throw error;
  }
}

/** Bytes whose buffer may be handed over: as they are when almost all of their buffer is theirs, else a copy. */
function owned(bytes: Buffer): Uint8Array {
  const alone = bytes.buffer !== scratch.buffer && bytes.buffer.byteLength - bytes.byteLength <= 64;
  return alone ? bytes : new Uint8Array(bytes);
}

/** The member's piece of the tar, valid until the next call, and where the contents of larger files are in it. */
function contentOf(member: Member): { readonly raw: Buffer; readonly spans: readonly Span[] } {
  // One byte more, so that a file that grew shows itself in the read that takes its content.
  if (scratch.length < member.rawBytes + 1) scratch = Buffer.allocUnsafeSlow(member.rawBytes + 64 * 1024);
  const raw = scratch.subarray(0, member.rawBytes);
  switch (member.kind) {
    case 'end':
      raw.fill(0);
      return { raw, spans: [] };
    case 'block':
      readBlock(member);
      return { raw, spans: [] };
    case 'entries':
      return { raw, spans: writeEntries(member.entries, member.rawBytes) };
  }
}

function writeEntries(entries: readonly TreeEntry[], expected: number): readonly Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const entry of entries) {
    at = writeHeader(scratch, at, entry);
    if (entry.size === 0 && entry.type !== 'file') continue;
    if (isBig(entry)) continue;
    if (entry.content !== undefined) scratch.set(entry.content, at);
    else readWhole(entry, at);
    if (entry.size >= SPAN_BYTES) spans.push({ start: at, end: at + entry.size });
    const end = at + padded(entry.size);
    scratch.fill(0, at + entry.size, end);
    at = end;
  }
  if (at !== expected) throw new Error(`a member of ${expected} bytes came out as ${at}`);
  return spans;
}

/** Reads the content of a small file to `at`. Empty files are opened as well: they may have grown. */
function readWhole(entry: TreeEntry, at: number): void {
  const fd = open(entry.host, entry.mode);
  try {
    const count = readFully(fd, { at, length: entry.size + 1, position: null });
    if (count !== entry.size) throw new Unpackable(entry.host, changed(entry.size, count));
    const content = scratch.subarray(at, at + count);
    if (entry.sha256 !== undefined && hash('sha256', content) !== entry.sha256)
      throw new Unpackable(entry.host, DAMAGED);
  } catch (error) {
    throw unpackable(entry.host, error);
  } finally {
    closeSync(fd);
  }
}

function readBlock(member: Member & { kind: 'block' }): void {
  const fd = open(member.host, member.mode);
  try {
    if (member.offset === 0 && member.sha256 !== undefined) verify(fd, member.host, member.sha256);
    const want = member.length + (member.last ? 1 : 0);
    const count = readFully(fd, { at: 0, length: want, position: member.offset });
    if (count !== member.length) {
      throw new Unpackable(member.host, changed(member.offset + member.length, member.offset + count));
    }
  } catch (error) {
    throw unpackable(member.host, error);
  } finally {
    closeSync(fd);
  }
  scratch.fill(0, member.length, member.rawBytes);
}

/** Reads until `length` bytes or the end of the file; returns how many came. */
function readFully(fd: number, want: { at: number; length: number; position: number | null }): number {
  let done = 0;
  while (done < want.length) {
    const position = want.position === null ? null : want.position + done;
    const count = readSync(fd, scratch, want.at + done, want.length - done, position);
    if (count === 0) break;
    done += count;
    // Regular files answer short only at their end, so the read that would return 0 can be saved.
    if (want.position === null && done === want.length - 1) break;
  }
  return done;
}

/** Reads a big file whose digest is known to its end, once for all of its blocks. */
function verify(fd: number, host: string, sha256: string): void {
  const digest = createHash('sha256');
  const chunk = Buffer.allocUnsafe(256 * 1024);
  let position = 0;
  for (let count = -1; count !== 0; position += count) {
    count = readSync(fd, chunk, 0, chunk.length, position);
    digest.update(chunk.subarray(0, count));
  }
  if (digest.digest('hex') !== sha256) throw new Unpackable(host, DAMAGED);
}

/** Opens a file for reading, never through a link; one that its owner may not read is opened up for that moment. */
function open(host: string, mode: number): number {
  const path = hostPathOf(host);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(path, flags);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw unpackable(host, error);
  }
  try {
    chmodSync(path, 0o400);
    const fd = openSync(path, flags);
    fchmodSync(fd, mode);
    return fd;
  } catch (error) {
    throw unpackable(host, error);
  }
}

function unpackable(host: string, error: unknown): Error {
  if (error instanceof Unpackable) return error;
  return new Unpackable(host, `could not be read (${errnoOf(error) ?? String(error)})`);
}

/** How it is told that a tree below a workspace is not what was written there. */
const DAMAGED = 'does not hold what was written to it: the disk or the memory of the machine is damaged';

function changed(expected: number, actual: number): string {
  return `changed while it was packed: ${expected} bytes when listed, ${actual} or more when read`;
}
