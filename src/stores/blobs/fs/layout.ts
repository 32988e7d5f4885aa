/**
 * How a directory store keeps a blob so that content, digests and content type can't disagree, whatever instant
 * the writer dies at.
 *
 * The bytes are a file that is written once, under a name that *is* the record:
 * `.data/<ab>/<sha256>.<sha1>.<size>.<nonce>.<content type>`. A key is a symbolic link to it,
 * `<kind>/ab/cd/<name>`, and is replaced by rename(2): readers see the old blob or the new one, each with its own
 * record, and never one's bytes with the other's digests. Ordinary programs read the blob at the key's path.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join, posix, relative } from 'node:path';
import { parseSha1, parseSha256 } from '../../../words/ids.ts';
import type { BlobInfo, BlobKey } from '../port/blob-store.ts';
import type { Digests } from '../port/digests.ts';
import { pathOf } from '../port/key.ts';

/** Directory of the bytes, below the root. */
export const DATA = '.data';
/** Directory of files that are being written, below the root: on the same file system as the data. */
export const TEMP = '.tmp';
/** Below the root: what was ever written. Below a kind: that it is the one. */
export const MARK = '.stager';

const DATA_NAME = /^([0-9a-f]{64})\.([0-9a-f]{40})\.(\d{1,16})\.[0-9a-f]{16}\.([A-Za-z0-9_-]*)$/;
/** A file name has at most 255 bytes, and 138 of them are taken. */
const MAX_CONTENT_TYPE = 80;

/** The record that a data file's name holds. */
export interface DataRecord extends Digests {
  readonly contentType: string;
}

/** A new, unique file name for these bytes. */
export function dataName(digests: Digests, contentType: string): string {
  const type = Buffer.from(contentType.slice(0, MAX_CONTENT_TYPE)).toString('base64url');
  const nonce = randomBytes(8).toString('hex');
  return `${digests.sha256}.${digests.sha1}.${digests.sizeBytes}.${nonce}.${type}`;
}

/** What a data file's name says, or undefined when it is not the name of one. */
export function parseDataName(name: string): DataRecord | undefined {
  const match = DATA_NAME.exec(name);
  const sha256 = parseSha256(match?.[1] ?? '');
  const sha1 = parseSha1(match?.[2] ?? '');
  if (match === null || sha256 === undefined || sha1 === undefined) return undefined;
  const contentType = Buffer.from(match[4] ?? '', 'base64url').toString();
  return { sha256, sha1, sizeBytes: Number(match[3]), contentType };
}

/** Where the data file of this name is. */
export function dataPath(root: string, name: string): string {
  return join(root, DATA, name.slice(0, 2), name);
}

/** Where the link of a key is. */
export function linkPath(root: string, key: BlobKey): string {
  return join(root, pathOf(key));
}

/** The text of a key's link: relative, so that a store can be moved. */
export function linkText(root: string, key: BlobKey, name: string): string {
  return relative(dirname(linkPath(root, key)), dataPath(root, name));
}

/** The data name that a link's text ends with, or undefined when the link is not one of ours. */
export function dataNameOfLink(text: string): string | undefined {
  const name = posix.basename(text);
  const ours = parseDataName(name) !== undefined && text.endsWith(`${DATA}/${name.slice(0, 2)}/${name}`);
  return ours ? name : undefined;
}

/** The port's record of a blob. */
export function infoOf(key: BlobKey, record: DataRecord, modifiedAtMs: number): BlobInfo {
  const { sizeBytes, sha1, sha256, contentType } = record;
  return { key, sizeBytes, sha1, sha256, contentType, modifiedAtMs };
}
