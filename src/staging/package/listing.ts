/**
 * A package as it is stored: the list of what is in it, not the contents. JSON lines, format version 1
 * (docs/packages.md): a header, then one entry a line in path order, with a fixed order of fields, so that equal
 * packages have equal bytes except for guid and date.
 */

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { corrupt } from '../../stores/blobs/port/verify.ts';
import { sha256Of } from '../../words/digest.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import {
  type Guid,
  isRefused,
  parseGuid,
  parseRelPath,
  parseSha1,
  parseSha256,
  type Sha1,
  type Sha256,
} from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';
import type { FileEntry } from '../source/entry.ts';

/** Content type of a listing. */
export const LISTING_TYPE = 'application/vnd.stager.package.v1+jsonl';
const MAX_LINE = 16 << 10;

/** A file of a package: as in its source, with the digests of its content. */
export type ListedFile = Extract<FileEntry, { kind: 'file' }> & {
  readonly sha1: Sha1;
  readonly sha256: Sha256;
};

/** An entry of a package. */
export type ListedEntry = ListedFile | Exclude<FileEntry, { kind: 'file' }>;

/** First line of a listing. */
export interface ListingHeader {
  readonly guid: Guid;
  /** Pool that has the contents. */
  readonly tenant: string;
  /** App that it belongs to, for retention. */
  readonly app?: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
}

const header = z.strictObject({
  format: z.literal('stager-package'),
  version: z.literal(1),
  guid: z.string(),
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
  app: z.string().max(200).optional(),
  createdAt: z.iso.datetime(),
  entries: z.number().int().min(0),
  files: z.number().int().min(0),
  bytes: z.number().int().min(0),
});
const path = z.string().max(4_096);
const mode = z.number().int().min(0).max(0o777);
const mtimeMs = z.number().int();
const entry = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('file'),
    path,
    mode,
    sizeBytes: z.number().int().min(0),
    mtimeMs,
    sha1: z.string(),
    sha256: z.string(),
  }),
  z.strictObject({ kind: z.literal('directory'), path, mode, mtimeMs }),
  z.strictObject({ kind: z.literal('symlink'), path, target: z.string().max(4_096), mtimeMs }),
]);

/** Key of a package's listing. */
export const packageKey = (guid: Guid): BlobKey => ({ kind: 'packages', name: guid });

/** Digest of what a package holds: paths, kinds, modes, targets, contents. Times and the package's guid don't count. */
export function contentDigest(entries: readonly ListedEntry[]): Sha256 {
  const hash = createHash('sha256');
  for (const text of batches(entries, contentLine)) hash.update(text);
  return sha256Of(hash);
}

/** The listing's lines as a stream. Entries must be in path order. */
export function encodeListing(head: ListingHeader, entries: readonly ListedEntry[]): Readable {
  const { guid, tenant, app, createdAt } = head;
  const first = {
    format: 'stager-package',
    version: 1,
    guid,
    tenant,
    ...(app === undefined ? {} : { app }),
    createdAt,
    entries: head.entries,
    files: head.files,
    bytes: head.bytes,
  };
  function* pieces(): Generator<Buffer, void, void> {
    yield Buffer.from(`${JSON.stringify(first)}\n`);
    for (const text of batches(entries, listingLine)) yield Buffer.from(text);
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 1 << 20 });
}

/** Lines joined: one hash update or chunk for each of 42,000 entries costs more than making the lines. */
function* batches(
  entries: readonly ListedEntry[],
  lineOf: (entry: ListedEntry) => string,
): Generator<string, void, void> {
  let text = '';
  for (const item of entries) {
    text += lineOf(item);
    if (text.length < 1 << 17) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function contentLine(item: ListedEntry): string {
  const own =
    item.kind === 'file'
      ? `${item.mode},"${item.sha256}"`
      : item.kind === 'symlink'
        ? JSON.stringify(item.target)
        : `${item.mode}`;
  return `[${JSON.stringify(item.path)},"${item.kind}",${own}]\n`;
}

function listingLine(item: ListedEntry): string {
  const head = `{"kind":"${item.kind}","path":${JSON.stringify(item.path)}`;
  const tail = `"mtimeMs":${Math.trunc(item.mtimeMs)}`;
  if (item.kind === 'symlink') return `${head},"target":${JSON.stringify(item.target)},${tail}}\n`;
  if (item.kind === 'directory') return `${head},"mode":${item.mode},${tail}}\n`;
  const { mode, sizeBytes, sha1, sha256 } = item;
  return `${head},"mode":${mode},"sizeBytes":${sizeBytes},${tail},"sha1":"${sha1}","sha256":"${sha256}"}\n`;
}

/** A listing whose header was read. */
export interface OpenListing {
  readonly header: ListingHeader;
  /** May be gone through once, to its end or not. */
  readonly entries: AsyncGenerator<ListedEntry, void, void>;
  /** For who does not want the entries: a generator that was never begun can't end what it would have read. */
  readonly close: () => void;
}

/** How to read a listing. */
export interface ReadListing {
  readonly signal: AbortSignal;
}

/**
 * Opens a package's listing: its header, and its entries as they are read.
 *
 * @throws StagerError PACKAGE_NOT_FOUND; BLOB_CORRUPT from `entries` when it is not what was stored.
 */
export async function readListing(
  store: BlobStore,
  guid: Guid,
  { signal }: ReadListing,
): Promise<OpenListing> {
  const key = packageKey(guid);
  const location = store.location(key);
  // In a bucket it can be deleted between being found and being read.
  const { body, lines, first } = await begin(store, key, signal).catch((error: unknown) => {
    if (!isStagerError(error, 'BLOB_NOT_FOUND')) throw error;
    throw new StagerError('PACKAGE_NOT_FOUND', `there is no package ${guid} in ${store.url}`, {
      next: 'Create it with `stager package create`, or list the packages with `stager blobs ls packages`.',
      details: { guid },
      cause: error,
    });
  });
  const parsed = header.safeParse(first.done === true ? undefined : parseJson(first.value));
  const found = parseGuid(parsed.data?.guid ?? '');
  if (!parsed.success || found === undefined) {
    body.destroy();
    throw corrupt(location, 'it is not a package listing of version 1');
  }
  const { format: _format, version: _version, app, ...rest } = parsed.data;
  const head: ListingHeader = { ...rest, guid: found, ...(app === undefined ? {} : { app }) };
  const entries = entriesOf({ lines, body, location, expected: head.entries });
  return { header: head, entries, close: () => body.destroy() };
}

async function begin(store: BlobStore, key: BlobKey, signal: AbortSignal) {
  const { body } = await store.get(key, { signal });
  const lines = linesOf(body);
  return { body, lines, first: await lines.next() };
}

async function* entriesOf(from: {
  readonly lines: AsyncGenerator<string, void, void>;
  readonly body: Readable;
  readonly location: string;
  readonly expected: number;
}): AsyncGenerator<ListedEntry, void, void> {
  let count = 0;
  try {
    for await (const line of from.lines) {
      const item = line.length > MAX_LINE ? undefined : parseEntry(line);
      if (item === undefined) throw corrupt(from.location, `line ${count + 2} is not an entry`);
      count++;
      yield item;
    }
  } finally {
    from.body.destroy();
  }
  if (count === from.expected) return;
  throw corrupt(from.location, 'entries are missing', { expected: from.expected, actual: count });
}

function parseEntry(line: string): ListedEntry | undefined {
  const { data } = entry.safeParse(parseJson(line));
  if (data === undefined) return undefined;
  const checked = parseRelPath(data.path);
  if (isRefused(checked) || checked !== data.path) return undefined;
  if (data.kind !== 'file') return { ...data, path: checked };
  const sha1 = parseSha1(data.sha1);
  const sha256 = parseSha256(data.sha256);
  if (sha1 === undefined || sha256 === undefined) return undefined;
  return { ...data, path: checked, sha1, sha256 };
}

/** Lines of a stream whose failure is thrown to the reader (readline alone would swallow it). */
async function* linesOf(body: Readable): AsyncGenerator<string, void, void> {
  let failure: { readonly error: unknown } | undefined;
  body.on('error', (error) => {
    failure ??= { error };
  });
  const lines = createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY });
  body.once('error', () => lines.close());
  for await (const line of lines) {
    if (failure !== undefined) break;
    yield line;
  }
  if (failure !== undefined) throw failure.error;
}
