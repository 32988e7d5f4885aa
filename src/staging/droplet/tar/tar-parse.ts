/**
 * Reads tar headers: ustar, GNU (long names, base-256 numbers) and pax. Strict where readers differ: a header that
 * two programs could understand differently is refused, so that nothing is unpacked here that another reader of
 * the same droplet would not see.
 */
import { BLOCK, padded } from './tar-header.ts';

/** An entry of an archive that was read. Paths are clean: relative, no `.` or `..`; byte strings. */
export interface ParsedEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Empty for the root itself. */
  readonly path: string;
  /** Permission bits and sticky; set-id bits are dropped. */
  readonly mode: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** A symlink's target as it is; a hard link's as a clean path. */
  readonly link: string;
}

/** An archive that is not unpacked; the message says why. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** What one header block says before long names and pax records are applied. */
export interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly link: string;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
}

/** Values that override the next header's. */
export interface Overrides {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly mtime?: number;
}

/** Long names and pax records are held in memory; a longer one is an attack. */
export const MAX_META_BYTES = 1024 * 1024;
const MAX_PATH_BYTES = 4096;
const MAX_SEGMENT_BYTES = 255;
const META_TYPES = new Set(['L', 'K', 'x', 'g']);

/** True for headers that say something about the next one. */
export function isMeta(header: RawHeader): boolean {
  return META_TYPES.has(header.type);
}

/** True when the block at `at` holds only zeros. */
export function isZeroBlock(bytes: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** @throws Refused when the checksum is wrong or a number can't be read. */
export function parseHeader(bytes: Buffer, at: number): RawHeader {
  let sum = 8 * 0x20;
  for (let i = at; i < at + 148; i++) sum += bytes[i] ?? 0;
  for (let i = at + 156; i < at + BLOCK; i++) sum += bytes[i] ?? 0;
  if (sum !== octal(bytes, at + 148, 8)) throw new Refused('a header has a wrong checksum');
  const magic = bytes.toString('latin1', at + 257, at + 263);
  const prefix = magic === 'ustar\0' ? text(bytes, at + 345, 155) : '';
  const name = text(bytes, at, 100);
  return {
    type: bytes[at + 156] === 0 ? '0' : String.fromCharCode(bytes[at + 156] ?? 0),
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: text(bytes, at + 157, 100),
    mode: octal(bytes, at + 100, 8),
    size: number(bytes, at + 124),
    mtime: number(bytes, at + 136),
  };
}

/** What a meta entry with `content` says, on top of `before`. */
export function applyMeta(header: RawHeader, content: Buffer, before: Overrides): Overrides {
  const value = (): string => content.toString('latin1').replace(/\0+$/, '');
  if (header.type === 'L') return { ...before, path: value() };
  if (header.type === 'K') return { ...before, linkpath: value() };
  const records = paxRecords(content);
  if (header.type === 'g') {
    // `git archive` writes a comment here; a global name or size would be understood differently by everyone.
    for (const key of ['path', 'linkpath', 'size']) {
      if (records.has(key)) throw new Refused(`a global header sets "${key}"`);
    }
    return before;
  }
  for (const key of records.keys()) {
    if (key.startsWith('GNU.sparse.')) throw new Refused('it has sparse files, which are not supported');
  }
  const size = records.get('size');
  const mtime = records.get('mtime');
  return {
    ...before,
    ...optional('path', records.get('path')),
    ...optional('linkpath', records.get('linkpath')),
    ...(size === undefined ? {} : { size: paxNumber('size', size) }),
    ...(mtime === undefined ? {} : { mtime: Math.floor(paxNumber('mtime', mtime)) }),
  };
}

/** Bytes of content after the header. Links and directories have none, whatever they claim. */
export function contentSize(header: RawHeader, overrides: Overrides): number {
  if (isMeta(header)) return header.size;
  return header.type === '0' || header.type === '7' ? (overrides.size ?? header.size) : 0;
}

/** The entry that a header and what was said before it describe. @throws Refused */
export function entryOf(header: RawHeader, overrides: Overrides): ParsedEntry {
  const name = overrides.path ?? header.name;
  const path = cleanPath(name);
  const link = overrides.linkpath ?? header.link;
  const base = {
    path,
    mode: header.mode & 0o1777,
    mtime: overrides.mtime ?? header.mtime,
    size: 0,
    link: '',
  };
  switch (header.type) {
    case '0':
    case '7':
      if (name.endsWith('/')) return { ...base, type: 'directory' };
      if (path === '') throw new Refused('it has a file with the name of its root');
      return { ...base, type: 'file', size: contentSize(header, overrides) };
    case '5':
      return { ...base, type: 'directory' };
    case '1': {
      const target = cleanPath(link);
      if (path === '' || target === '') throw new Refused('it has a hard link without a name');
      return { ...base, type: 'hardlink', link: target };
    }
    case '2':
      if (path === '' || link === '' || link.includes('\0'))
        throw new Refused('it has a link without a name');
      return { ...base, type: 'symlink', link };
    default:
      throw new Refused(`${shown(name)} is ${kindOf(header.type)}`);
  }
}

/** The path without a leading `./`; empty for the root. @throws Refused for what leaves it or is not clean. */
export function cleanPath(name: string): string {
  const path = name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (name.startsWith('/')) throw new Refused(`${shown(name)} is absolute`);
  if (path === '' || path === '.') return '';
  if (path.includes('\0')) throw new Refused(`${shown(name)} contains NUL`);
  if (path.length > MAX_PATH_BYTES) throw new Refused(`a name is longer than ${MAX_PATH_BYTES} bytes`);
  for (const segment of path.split('/')) {
    if (segment === '..') throw new Refused(`${shown(name)} leaves its root with ..`);
    if (segment === '' || segment === '.') throw new Refused(`${shown(name)} has an empty or . segment`);
    if (segment.length > MAX_SEGMENT_BYTES)
      throw new Refused(`${shown(name)} has a segment that is too long`);
  }
  return path;
}

/** Length of a meta entry with its padding. @throws Refused when it is too long to hold. */
export function metaBytes(header: RawHeader): number {
  if (header.size > MAX_META_BYTES) throw new Refused(`a long name takes ${header.size} bytes`);
  return padded(header.size);
}

function paxRecords(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < content.length && content[at] !== 0) {
    const space = content.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(content.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isInteger(length) || end <= space || end > content.length || content[end - 1] !== 0x0a) {
      throw new Refused('a pax header is malformed');
    }
    const equals = content.indexOf(0x3d, space);
    if (equals === -1 || equals >= end) throw new Refused('a pax header is malformed');
    records.set(
      content.toString('latin1', space + 1, equals),
      content.toString('latin1', equals + 1, end - 1),
    );
    at = end;
  }
  return records;
}

function paxNumber(key: string, value: string): number {
  const parsed = /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  const safe = Number.isFinite(parsed) && Math.abs(parsed) <= Number.MAX_SAFE_INTEGER;
  if (!safe || (key === 'size' && (parsed < 0 || !Number.isInteger(parsed)))) {
    throw new Refused(`a pax header has the ${key} "${value.slice(0, 40)}"`);
  }
  return parsed;
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } | object {
  return value === undefined ? {} : { [key]: value };
}

/** A field of at most `length` bytes that ends at its first NUL. */
function text(bytes: Buffer, at: number, length: number): string {
  const nul = bytes.indexOf(0, at);
  return bytes.toString('latin1', at, nul === -1 || nul > at + length ? at + length : nul);
}

function octal(bytes: Buffer, at: number, length: number): number {
  const digits = text(bytes, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw new Refused('a header has an invalid number');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** A twelve-byte number, octal or base-256. */
function number(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return octal(bytes, at, 12);
  const value = bytes.readBigInt64BE(at + 4);
  const sign = first === 0xff ? -1n : 0n;
  const high = bytes.readUInt32BE(at);
  const fits = sign === 0n ? high === 0x8000_0000 && value >= 0n : high === 0xffff_ffff && value < 0n;
  if (!fits || value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new Refused('a header has a number that is too large');
  }
  return Number(value);
}

function shown(name: string): string {
  return JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString('utf8'));
}

function kindOf(type: string): string {
  if (type === '3' || type === '4') return 'a device';
  if (type === '6') return 'a named pipe';
  if (type === 'S') return 'a sparse file, which is not supported';
  return `of the unknown kind ${JSON.stringify(type)}`;
}
