/** Whether a file system is full, for failures that only the programs that we run noticed. */
import { statfs } from 'node:fs/promises';
import { asStagerError } from '../../words/error-report.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** Less than this and most programs can't do their work. */
const FULL_BYTES = 64 * 1024;

/** The error, with the place where it says only that a write was too much: a write by itself does not know it. */
export function placed(thrown: unknown, place: string): StagerError {
  const error = asStagerError(thrown);
  const isTooMuch = error.code === 'HOST_DISK_FULL' || errnoOf(error.cause) === 'EFBIG';
  if (!isTooMuch || error.message.includes(place)) return error;
  return new StagerError(error.code, `${error.message} (in ${place})`, {
    ...(error.next !== undefined && { next: error.next }),
    ...(error.phase !== undefined && { phase: error.phase }),
    details: { ...error.details, path: place },
    cause: error,
  });
}

/** One phrase when the file system of `path` has no space or no inodes left for a user of no rights. */
export async function whyFull(path: string): Promise<string | undefined> {
  const facts = await statfs(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  const free = facts.bavail * facts.bsize;
  if (free < FULL_BYTES) return `the file system of ${path} is full: ${free} bytes are free`;
  // Some file systems count no inodes.
  if (facts.files > 0 && facts.ffree === 0) return `the file system of ${path} has no inodes left`;
  return undefined;
}
