/**
 * Branded identifiers. A value of one of these types was checked by its parser, so inner code trusts it.
 */
import { randomUUID } from 'node:crypto';

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A lower-case UUID that names a package, build, droplet or app. */
export type Guid = Brand<string, 'Guid'>;
/** 64 lower-case hex digits. */
export type Sha256 = Brand<string, 'Sha256'>;
/** 40 lower-case hex digits: the digest of Cloud Foundry's resource protocol. */
export type Sha1 = Brand<string, 'Sha1'>;
/**
 * A path relative to a root that can't leave it: `/`-separated, no empty, `.` or `..` segment, no NUL,
 * not absolute, no trailing slash, at most 4096 bytes.
 */
export type RelPath = Brand<string, 'RelPath'>;

/** A new random guid. */
export function newGuid(): Guid {
  return randomUUID() as Guid;
}

/** The guid in `text`, or undefined when it is not one. */
export function parseGuid(text: string): Guid | undefined {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? (text as Guid) : undefined;
}

/** The digest in `text` (any case), or undefined when it is not one. */
export function parseSha256(text: string): Sha256 | undefined {
  return /^[0-9a-fA-F]{64}$/.test(text) ? (text.toLowerCase() as Sha256) : undefined;
}

/** The digest in `text` (any case), or undefined when it is not one. */
export function parseSha1(text: string): Sha1 | undefined {
  return /^[0-9a-fA-F]{40}$/.test(text) ? (text.toLowerCase() as Sha1) : undefined;
}

/** The digest whose 32 bytes begin at `at`: any 32 are one. */
export function sha256At(bytes: Buffer, at: number): Sha256 {
  return bytes.toString('hex', at, at + 32) as Sha256;
}

/** The digest whose 20 bytes begin at `at`. */
export function sha1At(bytes: Buffer, at: number): Sha1 {
  return bytes.toString('hex', at, at + 20) as Sha1;
}

/** Almost all paths: ASCII, and clean already. Large apps have 100,000 of them. */
const PLAIN = /^(?:(?!\.{1,2}(?:\/|$))[ -.0-~]{1,255}(?:\/(?!$)|$))+$/;

/**
 * The one gate for paths from archives, manifests and requests.
 *
 * A leading `./` and a trailing `/` are dropped, since tar and zip write them; anything else that is not
 * already clean is refused rather than cleaned.
 *
 * @returns the path, or the reason why it is refused.
 */
export function parseRelPath(text: string): RelPath | { refused: string } {
  if (text.length <= 4096 && PLAIN.test(text)) return text as RelPath;
  const trimmed = text.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (trimmed === '' || trimmed === '.') return { refused: 'empty path' };
  if (trimmed.includes('\0')) return { refused: 'contains NUL' };
  if (trimmed.startsWith('/')) return { refused: 'absolute path' };
  if (Buffer.byteLength(trimmed) > 4096) return { refused: 'longer than 4096 bytes' };
  for (const segment of trimmed.split('/')) {
    if (segment === '..') return { refused: 'leaves its root with ..' };
    if (segment === '' || segment === '.') return { refused: 'has an empty or . segment' };
    if (Buffer.byteLength(segment) > 255) return { refused: 'has a segment longer than 255 bytes' };
  }
  return trimmed as RelPath;
}

/** True for the refusal side of {@link parseRelPath}. */
export function isRefused(parsed: RelPath | { refused: string }): parsed is { refused: string } {
  return typeof parsed !== 'string';
}
