/** One read of a file gives both digests: sha1 for Cloud Foundry's protocol, sha256 for everything of ours. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Digester, type Digests, digestsOf } from '../../stores/blobs/port/digests.ts';
import { changedWhilePacked } from '../../stores/resource-cache/pack-writer.ts';
import { cancelled, errnoOf, StagerError } from '../../words/errors.ts';

/**
 * Files up to this size are read at once and synchronously: for the 42,000 files of a large app that takes a third of
 * the time of asynchronous reads (bench/packages.ts). The caller lets the event loop turn between them.
 */
export const SMALL_BYTES = 1 << 20;
/** Room for any small file and the byte that tells that it grew. */
export const SCRATCH_BYTES = SMALL_BYTES + 1;
const READ_BYTES = 1 << 20;
// A link or a pipe that was put in place of the file since it was listed is refused, not followed or waited for.
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file on this host. */
export interface HostFile {
  readonly hostPath: string;
  /** Path in the package, for messages. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Content of a small file, at the start of `scratch` ({@link SCRATCH_BYTES}): valid until that is used again.
 *
 * @throws StagerError SOURCE_CHANGED, SOURCE_UNREADABLE.
 */
export function readIntoScratch(file: HostFile, scratch: Buffer): Buffer {
  const { sizeBytes } = file;
  try {
    const fd = openSync(file.hostPath, FLAGS);
    try {
      const before = fstatSync(fd);
      if (!before.isFile() || before.size !== sizeBytes) throw changedWhilePacked(file.path);
      let filled = 0;
      // A read that has room for more and gets what was expected has reached the end.
      for (let length = -1; length !== 0 && (length < 0 || filled < sizeBytes); filled += length) {
        length = readSync(fd, scratch, filled, sizeBytes + 1 - filled, null);
      }
      if (filled !== sizeBytes) throw changedWhilePacked(file.path);
      return scratch.subarray(0, filled);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw unreadable(error, file.path);
  }
}

/** Digests of a file of any size. @throws StagerError SOURCE_CHANGED, SOURCE_UNREADABLE, CANCELLED. */
export async function fingerprintFile(
  file: HostFile,
  { signal, scratch }: { readonly signal: AbortSignal; readonly scratch: Buffer },
): Promise<Digests> {
  if (file.sizeBytes <= SMALL_BYTES) return digestsOf(readIntoScratch(file, scratch));
  const handle = await openLarge(file);
  try {
    const digests = await digestHandle(handle, signal);
    if (digests.sizeBytes !== file.sizeBytes) throw changedWhilePacked(file.path);
    return digests;
  } catch (error) {
    throw unreadable(error, file.path);
  } finally {
    await handle.close();
  }
}

/** Opens a file that was listed. @throws StagerError SOURCE_CHANGED when it is no longer one, SOURCE_UNREADABLE. */
export async function openLarge({ hostPath, path }: Omit<HostFile, 'sizeBytes'>): Promise<FileHandle> {
  const handle = await open(hostPath, FLAGS).catch((error: unknown) => {
    throw unreadable(error, path);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw changedWhilePacked(path);
}

/** Reads the next block while the last one is hashed; two buffers in all. */
async function digestHandle(handle: FileHandle, signal: AbortSignal): Promise<Digests> {
  const digester = new Digester();
  let [current, other] = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)];
  let reading = handle.read(current, 0, READ_BYTES, null);
  for (;;) {
    const { bytesRead } = await reading;
    if (bytesRead === 0) return digester.end();
    if (signal.aborted) throw cancelled(signal);
    [current, other] = [other, current];
    reading = handle.read(current, 0, READ_BYTES, null);
    digester.update(other.subarray(0, bytesRead));
  }
}

/** Digests of a stream, which is read to its end. */
export async function fingerprintStream(stream: AsyncIterable<Uint8Array>): Promise<Digests> {
  const digester = new Digester();
  for await (const chunk of stream) digester.update(chunk);
  return digester.end();
}

function unreadable(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof StagerError || errno === undefined) return error;
  if (errno === 'ENOENT' || errno === 'ELOOP' || errno === 'ENXIO') return changedWhilePacked(path, error);
  return new StagerError('SOURCE_UNREADABLE', `${path} can't be read: ${errno}`, {
    next: 'Make it readable for the user that runs stager, or leave it out with .cfignore.',
    details: { path, errno },
    cause: error,
  });
}
