/** Files that a person asked for by name. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';

/**
 * Refuses a place where no file can be written by a rename: a directory that is not there or may not be written to,
 * and what is there and is not a regular file. (Renamed over `/dev/null`, the file would take the device's place.)
 *
 * @throws StagerError CONFIG_INVALID.
 */
export async function demandOutputFile(file: string): Promise<void> {
  try {
    await access(`${dirname(resolve(file))}/`, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotWrite(file, errnoOf(cause) ?? 'unknown error', cause);
  }
  const facts = await stat(file).catch(() => undefined);
  if (facts !== undefined && !facts.isFile()) throw cannotWrite(file, 'it is not a regular file');
}

/** The failure of writing a file; CONFIG_INVALID, or HOST_DISK_FULL. What is not a system error passes as it is. */
export function outputError(file: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new StagerError('HOST_DISK_FULL', `no space for ${file}`, {
      next: 'Free space there, or choose another place.',
      details: { file },
      cause: error,
    });
  }
  if (errno === undefined || !/^E(ACCES|PERM|ROFS|NOENT|NOTDIR|ISDIR|NAMETOOLONG)$/.test(errno)) return error;
  return cannotWrite(file, errno, error);
}

function cannotWrite(file: string, why: string, cause?: unknown): StagerError {
  return new StagerError('CONFIG_INVALID', `can't write ${file} (${why})`, {
    next: 'Choose a file in a directory that exists and can be written.',
    details: { file },
    cause,
  });
}
