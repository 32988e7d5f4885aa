/**
 * A zip's central directory as plain facts, read at random so that nothing is unpacked.
 *
 * Bytes before the zip data (self-extracting archives, executable jars) are tolerated: the end record says how
 * long the central directory is and where it should start, and the difference to where it does start is the
 * length of the prefix. Bytes behind the end (padding, a signature, what a tool appended) are skipped, as Go's
 * reader does, so cf push as well.
 */
import type { FileHandle } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import type { ArchiveFile } from './archive-file.ts';
import { HandleReader } from './handle-reader.ts';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const CENTRAL_SIGNATURE = 0x02014b50;

/** One entry of the central directory. */
export interface ZipItem {
  /** Exactly as stored (decoded), trailing slash included. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'special';
  /** Permission bits, where the zip was made on unix. */
  readonly unixMode: number | undefined;
  readonly sizeBytes: number;
  readonly crc32: number;
  readonly mtimeMs: number;
  readonly encrypted: boolean;
  /** Method that can be read here: stored or deflate. */
  readonly readable: boolean;
  readonly method: number;
  /** Content, unchecked. @throws Error when its local header is another one. */
  open(): Promise<AsyncIterable<unknown>>;
  /** What {@link ZipItem.open} looks at, for an entry that has no content. @throws Error likewise. */
  check(): Promise<void>;
}

/** An open zip. */
export interface ZipReader {
  /** As the end record claims; hostile until counted. */
  readonly declaredEntries: number;
  items(): AsyncGenerator<ZipItem, void, undefined>;
  close(): Promise<void>;
}

interface OpenZip {
  readonly zip: yauzl.ZipFile;
  readonly reader: HandleReader;
}

/** @throws StagerError SOURCE_ARCHIVE_INVALID, SOURCE_UNREADABLE, SOURCE_CHANGED. */
export async function openZip(file: ArchiveFile): Promise<ZipReader> {
  const { handle, sizeBytes } = await file.open();
  try {
    const { prefix, end } = await extentOf(handle, sizeBytes);
    const reader = new HandleReader(handle, prefix);
    const zip = await yauzl.fromRandomAccessReaderPromise(reader, end - prefix, {
      autoClose: false,
      lazyEntries: true,
      decodeStrings: false,
      validateEntrySizes: true,
    });
    return {
      declaredEntries: zip.entryCount,
      items: () => items({ zip, reader }, file),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw isEncrypted(error)
      ? file.damaged('is encrypted', { next: WITHOUT_PASSWORD })
      : file.damaged("can't be read as a zip", { cause: error });
  }
}

async function* items({ zip, reader }: OpenZip, file: ArchiveFile): AsyncGenerator<ZipItem, void, undefined> {
  try {
    for await (const entry of zip.eachEntry()) yield toItem(zip, reader, entry);
  } catch (error) {
    throw isEncrypted(error)
      ? file.damaged('is encrypted', { next: WITHOUT_PASSWORD })
      : file.damaged('has a broken central directory', { cause: error });
  }
}

/** What to do about what a password protects, or an unusual method packs. */
export const WITHOUT_PASSWORD =
  'Create the archive again without a password and with deflate: zip -r app.zip .';

/** The library has no code for it. */
function isEncrypted(error: unknown): boolean {
  return error instanceof Error && /encrypt/i.test(error.message);
}

/** Host system that recorded a unix mode in the upper half of the external attributes: unix, and macOS. */
const UNIX_HOSTS: ReadonlySet<number> = new Set([3, 19]);
/** FAT, NTFS (by two numbers) and VFAT. */
const WINDOWS_HOSTS: ReadonlySet<number> = new Set([0, 10, 11, 14]);
const TYPE_MASK = 0o170000;

function toItem(zip: yauzl.ZipFile, reader: HandleReader, entry: yauzl.Entry): ZipItem {
  const host = entry.versionMadeBy >>> 8;
  const raw = WINDOWS_HOSTS.has(host) ? slashed(nameOf(entry)) : nameOf(entry);
  const attributes = entry.externalFileAttributes >>> 16;
  const unixMode = UNIX_HOSTS.has(host) && attributes !== 0 ? attributes : undefined;
  return {
    name: raw,
    kind: kindOf(raw, unixMode),
    unixMode: unixMode === undefined ? undefined : unixMode & 0o777,
    sizeBytes: entry.uncompressedSize,
    crc32: entry.crc32,
    mtimeMs: entry.getLastModDate().getTime() || 0,
    encrypted: entry.isEncrypted(),
    readable: entry.compressionMethod === 0 || entry.compressionMethod === 8,
    method: entry.compressionMethod,
    open: () => (isSmall(entry) ? smallContent(reader, entry) : largeContent({ zip, reader }, entry)),
    check: () => checkLocalHeader(reader, entry),
  };
}

/** Windows PowerShell writes backslashes between directories; a name that has a slash is one of the others'. */
function slashed(name: string): string {
  return name.includes('/') ? name : name.replaceAll('\\', '/');
}

/** Up to this size an entry is read and inflated in one call each: setting up streams costs more than that. */
const SMALL_BYTES = 131_072;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** The local header's own extra field may be longer than the central one. */
const LOCAL_SLACK = 256;

function isSmall(entry: yauzl.Entry): boolean {
  return entry.uncompressedSize <= SMALL_BYTES && entry.compressedSize <= SMALL_BYTES && !entry.isEncrypted();
}

async function smallContent(reader: HandleReader, entry: yauzl.Entry): Promise<AsyncIterable<unknown>> {
  const at = entry.relativeOffsetOfLocalHeader;
  const guess =
    LOCAL_BYTES + entry.fileNameLength + entry.extraFieldLength + LOCAL_SLACK + entry.compressedSize;
  let local = await reader.readUpTo(at, guess);
  const start = localHeaderEnd(local, entry);
  const end = start + entry.compressedSize;
  if (end > local.length) local = await reader.readUpTo(at, end);
  if (end > local.length) throw new Error('unexpected end of file');
  const packed = local.subarray(start, end);
  if (entry.compressionMethod === 0) return once(packed);
  // One byte more than listed shows an overrun without unpacking all of it.
  return once(inflateRawSync(packed, { maxOutputLength: entry.uncompressedSize + 1 }));
}

async function largeContent({ zip, reader }: OpenZip, entry: yauzl.Entry): Promise<AsyncIterable<unknown>> {
  await checkLocalHeader(reader, entry);
  return await zip.openReadStreamPromise(entry);
}

async function checkLocalHeader(reader: HandleReader, entry: yauzl.Entry): Promise<void> {
  const length = LOCAL_BYTES + entry.fileNameLength;
  localHeaderEnd(await reader.readUpTo(entry.relativeOffsetOfLocalHeader, length), entry);
}

/**
 * Where the header that stands before the content ends. Where it has another name or method than the central directory,
 * some readers take the one, some the other, so what one of them checked is not what another one runs. Cloud Foundry
 * refuses it too.
 */
function localHeaderEnd(local: Buffer, entry: yauzl.Entry): number {
  if (local.length < LOCAL_BYTES || local.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw new Error('the local header is missing');
  }
  const nameEnd = LOCAL_BYTES + local.readUInt16LE(26);
  if (!local.subarray(LOCAL_BYTES, nameEnd).equals(entry.fileNameRaw)) {
    throw new Error('its name in the local header differs');
  }
  if (local.readUInt16LE(8) !== entry.compressionMethod) {
    throw new Error('its compression method in the local header differs');
  }
  return nameEnd + local.readUInt16LE(28);
}

async function* once(content: Buffer): AsyncGenerator<Buffer> {
  if (content.length > 0) yield content;
}

/** A directory is what ends in a slash: the cf client writes them with the type of a file (cf-cli-wire.md 3.2.3). */
function kindOf(name: string, unixMode: number | undefined): ZipItem['kind'] {
  if (name.endsWith('/')) return 'directory';
  switch ((unixMode ?? 0) & TYPE_MASK) {
    case 0:
    case 0o100000:
      return 'file';
    case 0o120000:
      return 'symlink';
    case 0o040000:
      return 'directory';
    default:
      return 'special';
  }
}

/** Names are UTF-8 where they can be, whatever the flag says (as Go's reader takes them), else code page 437. */
function nameOf(entry: yauzl.Entry): string {
  const raw = entry.fileNameRaw;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag & ~0x800, raw, [], true);
  }
}

/** Where the zip data lies in the file: behind `prefix` bytes, up to `end`. */
async function extentOf(
  handle: FileHandle,
  sizeBytes: number,
): Promise<{ readonly prefix: number; readonly end: number }> {
  const tail = Buffer.alloc(Math.min(sizeBytes, END_BYTES + 0xffff));
  await handle.read(tail, 0, tail.length, sizeBytes - tail.length);
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    const comment = tail.readUInt16LE(at + 20);
    // Cut off within its comment, or no end record at all.
    if (at + END_BYTES + comment > tail.length) continue;
    const endOffset = sizeBytes - tail.length + at;
    const end = endOffset + END_BYTES + comment;
    return { prefix: await prefixOf(handle, tail.subarray(at), endOffset), end };
  }
  return { prefix: 0, end: sizeBytes };
}

/** Bytes before the zip data: 0 for an ordinary zip, and where offsets already count the prefix. */
async function prefixOf(handle: FileHandle, record: Buffer, endOffset: number): Promise<number> {
  const length = record.readUInt32LE(12);
  const start = record.readUInt32LE(16);
  const prefix = endOffset - length - start;
  if (prefix <= 0 || start === 0xffffffff) return 0;
  const signature = Buffer.alloc(4);
  await handle.read(signature, 0, 4, start + prefix);
  return length > 0 && signature.readUInt32LE(0) === CENTRAL_SIGNATURE ? prefix : 0;
}
