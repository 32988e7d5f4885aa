/**
 * Unpacks a buildpack's zip: modes and links kept, no entry outside the target. A link that was unpacked before is
 * followed inside the target only, whatever it says (buildpack-contracts.md 1.2).
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { errnoOf } from '../../words/errors.ts';
import { pathError, withPathError } from './go/errno.ts';
import { mkdirAll } from './go/path.ts';

/** Unpacks `file` below `target`, which is made. @throws Error in Go's words where it has any. */
export async function extractZip(file: string, target: string): Promise<void> {
  const type = contentType(file);
  if (type !== 'application/zip') throw new Error(`${file} is not a zip archive: ${type}`);
  const zip = await openZip(file);
  try {
    for await (const entry of entriesOf(zip)) await extract(zip, entry, target);
  } finally {
    zip.close();
  }
}

async function openZip(file: string): Promise<ZipFile> {
  // Names stay bytes: yauzl would refuse what the original puts inside the target.
  const options: yauzl.Options = { lazyEntries: true, autoClose: false, decodeStrings: false };
  const { promise, resolve, reject } = Promise.withResolvers<ZipFile>();
  const reader = new FileReader(file);
  yauzl.fromRandomAccessReader(reader, endOfZip(file), options, (error, zip) => {
    if (error) reject(new Error('zip: not a valid zip file', { cause: error }));
    else resolve(zip);
  });
  return promise;
}

class FileReader extends yauzl.RandomAccessReader {
  readonly #file: string;

  constructor(file: string) {
    super();
    this.#file = file;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return createReadStream(this.#file, { start, end: end - 1 });
  }
}

const END_RECORD = Buffer.from('PK\x05\x06', 'latin1');
const END_BYTES = 22;

/** Where the archive ends. What stands behind it counts for nothing; yauzl would refuse it. */
function endOfZip(file: string): number {
  const { size } = statSync(file);
  const tail = Buffer.alloc(Math.min(size, END_BYTES + 0xffff));
  const fd = openSync(file, 'r');
  try {
    readSync(fd, tail, 0, tail.length, size - tail.length);
  } finally {
    closeSync(fd);
  }
  const at = tail.lastIndexOf(END_RECORD, Math.max(tail.length - END_BYTES, 0));
  if (at < 0) return size;
  return Math.min(size, size - tail.length + at + END_BYTES + tail.readUInt16LE(at + 20));
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<Entry | undefined>();
    const onEntry = (entry: Entry): void => resolve(entry);
    const onEnd = (): void => resolve(undefined);
    zip.once('entry', onEntry).once('end', onEnd).once('error', reject);
    zip.readEntry();
    const entry = await promise.finally(() => {
      zip.off('entry', onEntry).off('end', onEnd).off('error', reject);
    });
    if (entry === undefined) return;
    yield entry;
  }
}

const UNIX = 3;
const MACOS = 19;
/** FAT, NTFS by its other number, VFAT: Go knows no other of this kind. */
const DOS_SYSTEMS: readonly number[] = [0, 11, 14];
const KIND = 0o170000;
const SYMLINK = 0o120000;
const DOS_DIRECTORY = 0x10;
const DOS_READ_ONLY = 0x01;

interface Mode {
  readonly kind: 'directory' | 'symlink' | 'file';
  readonly permissions: number;
}

async function extract(zip: ZipFile, entry: Entry, target: string): Promise<void> {
  const raw: unknown = entry.fileName;
  const name = Buffer.isBuffer(raw) ? raw.toString('utf8') : String(raw);
  const path = joinInside(target, name);
  const mode = modeOf(entry, name);
  if (mode.kind === 'directory') {
    withPathError('mkdir', path, () => mkdirSync(path, { recursive: true, mode: mode.permissions }));
    return;
  }
  mkdirAll(dirname(path));
  const content = await promisify(zip.openReadStream.bind(zip))(entry);
  if (mode.kind === 'symlink') {
    const link = await readText(content);
    try {
      symlinkSync(link, path);
    } catch (error) {
      throw pathError(`symlink ${link}`, path, error);
    }
    return;
  }
  const fd = withPathError('open', path, () => openSync(path, 'w', mode.permissions));
  await pipeline(content, createWriteStream('', { fd }));
}

function modeOf(entry: Entry, name: string): Mode {
  const system = entry.versionMadeBy >> 8;
  const attributes = entry.externalFileAttributes;
  if (system === UNIX || system === MACOS) {
    const mode = attributes >>> 16;
    const directory = (mode & KIND) === 0o040000 || name.endsWith('/');
    const kind = directory ? 'directory' : (mode & KIND) === SYMLINK ? 'symlink' : 'file';
    return { kind, permissions: mode & 0o7777 };
  }
  const known = DOS_SYSTEMS.includes(system);
  const directory = (known && (attributes & DOS_DIRECTORY) !== 0) || name.endsWith('/');
  const writable = (attributes & DOS_READ_ONLY) === 0;
  const base = directory ? 0o777 : 0o666;
  return {
    kind: directory ? 'directory' : 'file',
    permissions: known ? (writable ? base : base & 0o555) : 0,
  };
}

const MAX_LINKS = 255;

/** `name` below `root`, with every link on the way resolved as if `root` were `/`. */
export function joinInside(root: string, name: string): string {
  let pending = name;
  let reached = '/';
  for (let links = 0; pending !== ''; ) {
    const slash = pending.indexOf('/');
    const part = slash < 0 ? pending : pending.slice(0, slash);
    pending = slash < 0 ? '' : pending.slice(slash + 1);
    const next = posix.join(reached, part);
    const link = linkAt(join(root, next));
    if (link === undefined) {
      reached = next;
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`SecureJoin ${root}/${name}: too many levels of symbolic links`);
    if (link.startsWith('/')) reached = '/';
    pending = `${link}/${pending}`;
  }
  return join(root, reached);
}

function linkAt(path: string): string | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
  } catch (error) {
    // Below a file nothing is a link; who makes the directories says what is wrong.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw pathError('lstat', path, error);
  }
}

const SNIFFED = 512;

/** The type of a file as Go sniffs it, as far as it is printed: zip, or what it is instead. */
function contentType(file: string): string {
  // The buffer is always looked at whole, so a short text counts as binary.
  const head = Buffer.alloc(SNIFFED);
  const fd = withPathError('open', file, () => openSync(file, 'r'));
  try {
    if (readSync(fd, head, 0, SNIFFED, 0) === 0) throw new Error('EOF');
  } finally {
    closeSync(fd);
  }
  const start = head.toString('latin1').replace(/^[\t\n\f\r ]+/, '');
  const magic = MAGIC.find(([prefix]) =>
    head.subarray(0, prefix.length).equals(Buffer.from(prefix, 'latin1')),
  );
  if (
    /^(?:<!DOCTYPE HTML|<HTML|<HEAD|<SCRIPT|<IFRAME|<H1|<DIV|<FONT|<TABLE|<A|<STYLE|<TITLE|<B|<BODY|<BR|<P|<!--)[ >]/i.test(
      start,
    )
  ) {
    return 'text/html; charset=utf-8';
  }
  if (start.startsWith('<?xml')) return 'text/xml; charset=utf-8';
  if (magic !== undefined) return magic[1];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these bytes make a file binary
  const binary = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(head.toString('latin1'));
  return binary ? 'application/octet-stream' : 'text/plain; charset=utf-8';
}

const MAGIC: readonly (readonly [string, string])[] = [
  ['PK\x03\x04', 'application/zip'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['%PDF-', 'application/pdf'],
  ['Rar!\x1a\x07', 'application/x-rar-compressed'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
];
