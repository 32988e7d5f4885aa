/**
 * Tar headers as GNU tar writes them (`--format=gnu`, the format of `tar -czf`).
 *
 * GNU rather than pax, because a name is then plain bytes: file names on Linux need not be UTF-8. Long names and
 * links go into `@LongLink` records, sizes and times that need more than eleven octal digits are base-256.
 * Names are "byte strings": one character per byte (latin1), so that comparing and writing them is exact.
 */

/** One entry of an archive. */
export interface TarEntry {
  /** Byte string, `./app/x`; a directory ends with `/`. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character' | 'block';
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of content; 0 unless `type` is `file`. */
  readonly size: number;
  /** Whole seconds since the epoch. */
  readonly mtime: number;
  /** Byte string; target of a link. */
  readonly link: string;
  /** Who it belongs to; vcap when absent. */
  readonly owner?: TarOwner;
  /** Numbers of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Owner and group of an entry, by number and name; a name may be empty. */
export interface TarOwner {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
}

/** Everything in a tar is a multiple of this. */
export const BLOCK = 512;

/** vcap of Cloud Foundry's stacks. */
const OWNER = { id: 2000, name: 'vcap' } as const;

const TYPE = {
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  character: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
} as const;
const LONG_NAME = 0x4c;
const LONG_LINK = 0x4b;
const NAME_BYTES = 100;
const MAX_OCTAL_11 = 0o77777777777;

const TEMPLATE = template();

/** `size` rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** How many bytes {@link writeHeader} will write for `entry`; content comes after them. */
export function headerBytes(entry: TarEntry): number {
  return BLOCK + longRecordBytes(entry.name) + longRecordBytes(entry.link);
}

/** Writes the header of `entry` into `into` at `at`; returns the offset after it. */
export function writeHeader(into: Buffer, at: number, entry: TarEntry): number {
  let offset = at;
  if (entry.link.length > NAME_BYTES) offset = writeLongRecord(into, offset, LONG_LINK, entry.link);
  if (entry.name.length > NAME_BYTES) offset = writeLongRecord(into, offset, LONG_NAME, entry.name);
  TEMPLATE.copy(into, offset);
  into.write(entry.name.slice(0, NAME_BYTES), offset, NAME_BYTES, 'latin1');
  if (entry.link !== '') into.write(entry.link.slice(0, NAME_BYTES), offset + 157, NAME_BYTES, 'latin1');
  writeOctal(into, offset + 100, 7, entry.mode);
  writeNumber(into, offset + 124, entry.size);
  writeNumber(into, offset + 136, entry.mtime);
  into[offset + 156] = TYPE[entry.type];
  if (entry.owner !== undefined) writeOwner(into, offset, entry.owner);
  if (entry.device !== undefined) {
    writeOctal(into, offset + 329, 7, entry.device.major);
    writeOctal(into, offset + 337, 7, entry.device.minor);
  }
  writeChecksum(into, offset);
  return offset + BLOCK;
}

/** Over the owner of the template. Numbers that need more than seven octal digits are base-256. */
function writeOwner(into: Buffer, at: number, owner: TarOwner): void {
  for (const [place, id] of [
    [at + 108, owner.uid],
    [at + 116, owner.gid],
  ] as const) {
    if (id <= 0o7777777) writeOctal(into, place, 7, id);
    else into.writeBigUInt64BE(BigInt(id) | (1n << 63n), place);
  }
  for (const [place, name] of [
    [at + 265, owner.user],
    [at + 297, owner.group],
  ] as const) {
    into.fill(0, place, place + 32);
    into.write(name, place, 31, 'latin1');
  }
}

function longRecordBytes(text: string): number {
  return text.length > NAME_BYTES ? BLOCK + padded(text.length + 1) : 0;
}

function writeLongRecord(into: Buffer, at: number, type: number, text: string): number {
  TEMPLATE.copy(into, at);
  into.write('././@LongLink', at, NAME_BYTES, 'latin1');
  writeOctal(into, at + 100, 7, 0o644);
  writeNumber(into, at + 124, text.length + 1);
  writeNumber(into, at + 136, 0);
  into[at + 156] = type;
  writeChecksum(into, at);
  const end = at + BLOCK + padded(text.length + 1);
  into.fill(0, at + BLOCK, end);
  into.write(text, at + BLOCK, text.length, 'latin1');
  return end;
}

/** Header with everything that never changes: owner, magic. */
function template(): Buffer {
  const block = Buffer.alloc(BLOCK);
  writeOctal(block, 108, 7, OWNER.id);
  writeOctal(block, 116, 7, OWNER.id);
  block.write('ustar  \0', 257, 8, 'latin1');
  block.write(OWNER.name, 265, 32, 'latin1');
  block.write(OWNER.name, 297, 32, 'latin1');
  return block;
}

/** `digits` octal digits, then whatever is there already (a NUL of the template). */
function writeOctal(into: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    into[i] = 0x30 + (rest & 7);
    rest = Math.floor(rest / 8);
  }
}

/** A twelve-byte number: octal when it fits, else GNU's base-256 (also for times before 1970). */
function writeNumber(into: Buffer, at: number, value: number): void {
  if (value >= 0 && value <= MAX_OCTAL_11) {
    writeOctal(into, at, 11, value);
    into[at + 11] = 0;
    return;
  }
  const big = BigInt.asUintN(64, BigInt(value));
  into.fill(value < 0 ? 0xff : 0, at, at + 4);
  into[at] = value < 0 ? 0xff : 0x80;
  into.writeBigUInt64BE(big, at + 4);
}

/** The checksum counts its own field as eight spaces. */
function writeChecksum(into: Buffer, at: number): void {
  let sum = 8 * 0x20;
  for (let i = at; i < at + 148; i++) sum += into[i] ?? 0;
  for (let i = at + 156; i < at + 345; i++) sum += into[i] ?? 0;
  writeOctal(into, at + 148, 6, sum);
  into[at + 154] = 0;
  into[at + 155] = 0x20;
}
