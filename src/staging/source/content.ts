/** File content that is checked while it is read, so that no reader gets other bytes than were listed. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { errnoOf, isStagerError, StagerError } from '../../words/errors.ts';

/** What the content has to be. */
export interface Expected {
  readonly sizeBytes: number;
  /** CRC-32 as zip has it. */
  readonly crc32?: number;
  /** Makes the failure for content that is not as expected, or can't be read (then with `cause`). */
  readonly failure: (what: string, cause?: unknown) => StagerError;
}

/** `raw`, failing with a StagerError where it ends early, runs over, or has another checksum. */
export function checked(raw: AsyncIterable<unknown>, expected: Expected): Readable {
  return Readable.from(checkedChunks(raw, expected), { objectMode: false });
}

async function* checkedChunks(raw: AsyncIterable<unknown>, expected: Expected): AsyncGenerator<Buffer> {
  let bytes = 0;
  let crc = 0;
  try {
    for await (const chunk of raw) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError('a content stream must yield bytes');
      const data = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      bytes += data.length;
      if (bytes > expected.sizeBytes) {
        throw expected.failure(`holds more than the ${expected.sizeBytes} bytes it was listed with`);
      }
      if (expected.crc32 !== undefined) crc = crc32(data, crc);
      yield data;
    }
  } catch (error) {
    throw isStagerError(error) ? error : expected.failure("can't be read", error);
  }
  if (bytes !== expected.sizeBytes) {
    throw expected.failure(`holds ${bytes} bytes, not the ${expected.sizeBytes} it was listed with`);
  }
  if (expected.crc32 !== undefined && crc !== expected.crc32) throw expected.failure('has a wrong checksum');
}

/**
 * A file of the host as a stream. It is opened without following a link and without waiting for a pipe's other
 * end, since it may have been replaced after it was listed.
 */
export async function openHostFile(hostPath: string, path: string, sizeBytes: number): Promise<Readable> {
  const handle = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw unreadable(path, error);
    },
  );
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw changedWhileRead(path, 'is no longer a regular file');
  }
  return checked(handle.createReadStream(), {
    sizeBytes,
    failure: (what, cause) => (cause === undefined ? changedWhileRead(path, what) : unreadable(path, cause)),
  });
}

/** SOURCE_CHANGED for one file. */
export function changedWhileRead(path: string, what: string): StagerError {
  return new StagerError('SOURCE_CHANGED', `${path} changed while it was read: it ${what}`, {
    next: 'Stop whatever writes to the app, and stage again.',
    details: { path },
  });
}

/** SOURCE_UNREADABLE, or SOURCE_CHANGED where the entry has gone or become a link. */
export function unreadable(path: string, error: unknown): StagerError {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ELOOP') return changedWhileRead(path, 'vanished or became a link');
  return new StagerError('SOURCE_UNREADABLE', `${path} can't be read: ${errno ?? String(error)}`, {
    next: 'Make it readable for the user that runs stager, or list it in .cfignore.',
    details: { path, errno },
    cause: error,
  });
}
