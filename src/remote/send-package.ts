/**
 * An app to a server: what it has stored already is named, the rest travels in one zip that is made while it is sent.
 * A server of ours is asked about files of every size, another only about those that Cloud Controller looks for.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { z } from 'zod';
import type { Gathered } from '../staging/package/create.ts';
import type { ListedFile } from '../staging/package/listing.ts';
import type { Source } from '../staging/source/entry.ts';
import { changedWhilePacked } from '../stores/resource-cache/pack-writer.ts';
import { StagerError, throwIfCancelled } from '../words/errors.ts';
import type { Guid } from '../words/ids.ts';
import { pause } from '../words/retry.ts';
import { guidText } from './guid.ts';
import { ask, type RemoteParts } from './http.ts';
import type { ServerLinks } from './links.ts';

/** Cloud Controller's bounds, and how many files it is asked about at once. */
const [LEAST_SIZE, MOST_SIZE, AT_ONCE] = [65_536, 536_870_912, 1000];
/** Of one question to a server of ours. */
const OWN_AT_ONCE = 100_000;
/** A file that its owner may not read and write is stored with another mode, so it is not named but sent. */
const OWNER = 0o600;
/** Quick to make; the network is rarely slower than better compression is. */
const LEVEL = 1;
const POLL_MS = 200;
/** Bytes between two calls of onBytes. */
const TELL_BYTES = 1024 * 1024;

export interface SendParts {
  readonly remote: RemoteParts;
  readonly links: ServerLinks;
  readonly app: Guid;
  /** Called now and then while bytes of contents travel. */
  readonly onBytes: (sent: number, total: number) => void;
}

/** A package that is READY. Counts files; bytes are of contents. */
export interface SentPackage {
  readonly guid: Guid;
  readonly files: number;
  readonly bytes: number;
  readonly sentBytes: number;
}

const Package = z.object({
  guid: guidText,
  state: z.string(),
  data: z.object({ error: z.string().nullish() }),
});

/** @throws StagerError SOURCE_CHANGED, PACKAGE_INVALID, SERVER_*, NOT_SIGNED_IN, CANCELLED. */
export async function sendPackage(
  parts: SendParts,
  source: Source,
  gathered: Gathered,
): Promise<SentPackage> {
  const known = await knownFiles(parts, gathered.files);
  const sent = await upload(parts, source, { gathered, known });
  if (sent.state === 'READY') return counted(sent.guid, gathered, known);
  // What was there a moment ago may be gone.
  const again =
    known.size === 0 ? sent : await upload(parts, source, { gathered, known: new Set<ListedFile>() });
  if (again.state === 'READY') return counted(again.guid, gathered, new Set());
  throw new StagerError(
    'PACKAGE_INVALID',
    `the server can't use the app: ${again.data.error ?? again.state}`,
    {
      next: 'Do what the message says, and stage again.',
    },
  );
}

function counted(guid: Guid, { files }: Gathered, known: ReadonlySet<ListedFile>): SentPackage {
  return { guid, files: files.length, bytes: sum(files), sentBytes: sum(unknownOf(files, known)) };
}

function unknownOf(files: readonly ListedFile[], known: ReadonlySet<ListedFile>): readonly ListedFile[] {
  return files.filter((file) => !known.has(file));
}

function sum(files: readonly ListedFile[]): number {
  return files.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

async function knownFiles(
  { remote, links }: SendParts,
  files: readonly ListedFile[],
): Promise<ReadonlySet<ListedFile>> {
  const own = links.stager;
  const asked = files.filter(
    ({ mode, sizeBytes }) =>
      (mode & OWNER) === OWNER && (own !== undefined || (sizeBytes >= LEAST_SIZE && sizeBytes <= MOST_SIZE)),
  );
  const known = new Set<ListedFile>();
  const step = own === undefined ? AT_ONCE : OWN_AT_ONCE;
  for (let start = 0; start < asked.length; start += step) {
    const some = asked.slice(start, start + step);
    const found =
      own === undefined ? await matched(remote, links.api, some) : await ownMatched(remote, own, some);
    for (const file of found) known.add(file);
  }
  return known;
}

async function ownMatched(
  remote: RemoteParts,
  own: string,
  files: readonly ListedFile[],
): Promise<readonly ListedFile[]> {
  const body = { files: files.map(({ sha1, sizeBytes }) => ({ sha1, size: sizeBytes })) };
  const schema = z.object({ known: z.array(z.int()) });
  const { known } = await ask(remote, { method: 'POST', url: `${own}/resource_matches`, body }, schema);
  return known.flatMap((index) => files[index] ?? []);
}

async function matched(
  remote: RemoteParts,
  api: string,
  files: readonly ListedFile[],
): Promise<readonly ListedFile[]> {
  const body = { resources: files.map(resourceOf) };
  const schema = z.object({ resources: z.array(z.object({ checksum: z.object({ value: z.string() }) })) });
  const { resources } = await ask(remote, { method: 'POST', url: `${api}/resource_matches`, body }, schema);
  const digests = new Set(resources.map(({ checksum }) => checksum.value));
  return files.filter(({ sha1 }) => digests.has(sha1));
}

function resourceOf({ path, mode, sizeBytes, sha1 }: ListedFile) {
  return {
    path,
    mode: (mode & 0o777).toString(8),
    checksum: { value: sha1 },
    size_in_bytes: sizeBytes,
  };
}

interface Known {
  readonly gathered: Gathered;
  readonly known: ReadonlySet<ListedFile>;
}

interface Sending extends Known {
  /** Told of every piece of a content. */
  readonly onPiece: (bytes: number) => void;
}

async function upload(parts: SendParts, source: Source, which: Known): Promise<z.output<typeof Package>> {
  const { remote, links, app } = parts;
  const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
  const created = await ask(remote, { method: 'POST', url: `${links.api}/packages`, body }, Package);
  const url = `${links.api}/packages/${created.guid}`;
  const boundary = `stager-${randomUUID()}`;
  const stream = {
    type: `multipart/form-data; boundary=${boundary}`,
    open: () => {
      const onPiece = teller(sum(unknownOf(which.gathered.files, which.known)), parts.onBytes);
      return Readable.from(form(boundary, source, { ...which, onPiece }, remote.signal), {
        objectMode: false,
      });
    },
  };
  let sent = await ask(remote, { method: 'POST', url: `${url}/upload`, stream }, Package);
  while (sent.state === 'PROCESSING_UPLOAD') {
    await pause(POLL_MS, { signal: remote.signal });
    throwIfCancelled(remote.signal);
    sent = await ask(remote, { method: 'GET', url }, Package);
  }
  return sent;
}

/** Sums pieces up, and tells of them now and then, and of the last. */
function teller(total: number, onBytes: SendParts['onBytes']): Sending['onPiece'] {
  let [sent, told] = [0, 0];
  return (bytes) => {
    sent += bytes;
    if (sent - told < TELL_BYTES && sent < total) return;
    told = sent;
    onBytes(sent, total);
  };
}

async function* form(
  boundary: string,
  source: Source,
  sending: Sending,
  signal: AbortSignal,
): AsyncGenerator<string | Buffer> {
  const { gathered, known } = sending;
  const part = (head: string): string => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const resources = gathered.files.filter((file) => known.has(file)).map(resourceOf);
  yield `${part('name="resources"')}${JSON.stringify(resources)}\r\n`;
  if (known.size < gathered.entries.length) yield* bits(part, source, sending, signal);
  yield `--${boundary}--\r\n`;
}

async function* bits(
  part: (head: string) => string,
  source: Source,
  { gathered, known, onPiece }: Sending,
  signal: AbortSignal,
): AsyncGenerator<string | Buffer> {
  yield part('name="bits"; filename="package.zip"\r\nContent-Type: application/zip');
  const knownPaths = new Set([...known].map(({ path }) => path.toString()));
  const out = new PassThrough();
  const writing = writeZip(source, { gathered, knownPaths, onPiece, out, signal }).catch((error: unknown) =>
    out.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  yield* out;
  await writing;
  yield '\r\n';
}

const SYMLINK = 0o120_777;
const FILE = 0o100_000;
/** Earlier is not possible in a zip. */
const FIRST_TIME = new Date(1980, 0, 1);

async function writeZip(
  source: Source,
  io: {
    readonly gathered: Gathered;
    readonly knownPaths: ReadonlySet<string>;
    readonly onPiece: Sending['onPiece'];
    readonly out: PassThrough;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { gathered, knownPaths, onPiece, out, signal } = io;
  const zip = new ZipFile();
  zip.outputStream.on('error', (error: Error) => out.destroy(error)).pipe(out);
  const closed = once(out, 'close');
  const sizes = new Map(gathered.files.map(({ path, sizeBytes }) => [path.toString(), sizeBytes]));
  for await (const entry of source.entries({ signal })) {
    const mtime = new Date(Math.max(entry.mtimeMs, FIRST_TIME.getTime()));
    if (entry.kind === 'directory') zip.addEmptyDirectory(entry.path, { mtime });
    else if (entry.kind === 'symlink') {
      zip.addBuffer(Buffer.from(entry.target), entry.path, { mtime, mode: SYMLINK });
    } else if (!knownPaths.has(entry.path)) {
      if (entry.open === undefined || sizes.get(entry.path) !== entry.sizeBytes)
        throw changedWhilePacked(entry.path);
      const body = await entry.open();
      const mode = FILE | (entry.mode & 0o777);
      zip.addReadStream(counting(body, onPiece), entry.path, { mtime, mode, compressionLevel: LEVEL });
      // One after another: a source has one content open at a time.
      await Promise.race([finished(body), closed]);
      if (out.destroyed) body.destroy();
    }
    if (out.destroyed) return;
  }
  zip.end();
}

function counting(body: Readable, onPiece: Sending['onPiece']): Readable {
  return Readable.from(
    (async function* pieces() {
      for await (const piece of body) {
        onPiece(Buffer.byteLength(piece));
        yield piece;
      }
    })(),
    { objectMode: false },
  );
}
