/** System errors of a directory store as failures that a person can act on. */
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import type { BlobKey } from '../port/blob-store.ts';
import { BLOB_KINDS } from '../port/key.ts';
import { remedyFor } from '../port/verify.ts';
import { DATA, linkPath, TEMP } from './layout.ts';

const NEXT = {
  CONFIG_INVALID: 'Raise the limit (ulimit -f unlimited), or use a file system that allows larger files.',
  BLOBSTORE_FULL: 'Free space with `stager blobs gc`, or move the store to a larger file system.',
  BLOBSTORE_DENIED: 'Give the user that runs stager access, or choose another store with --blobstore.',
  BLOBSTORE_UNAVAILABLE: 'Check that the file system is mounted and healthy, then try again.',
} as const;

const CODE_OF: Readonly<Record<string, keyof typeof NEXT>> = {
  ENOSPC: 'BLOBSTORE_FULL',
  EDQUOT: 'BLOBSTORE_FULL',
  EFBIG: 'CONFIG_INVALID',
  EACCES: 'BLOBSTORE_DENIED',
  EPERM: 'BLOBSTORE_DENIED',
  EROFS: 'BLOBSTORE_DENIED',
};

const WHY: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its file system',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system, or the file size limit (ulimit -f), does not allow files of that size',
  EACCES: 'access is denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
};

/**
 * What to throw for `error`, which came while `doing` something at `location`. Failures of our own and errors that
 * are not the system's are returned as they are.
 */
export function storeError(error: unknown, doing: string, location: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof StagerError || errno === undefined || !('syscall' in Object(error))) return error;
  if (errno === 'ENOTDIR' || errno === 'EISDIR' || errno === 'EEXIST') {
    return new StagerError('USAGE', `${doing} ${location}: a blob's name is the directory of another one's`, {
      next: 'Choose a name that no other name starts with.',
      details: { location, errno },
      cause: error,
    });
  }
  const code = CODE_OF[errno] ?? 'BLOBSTORE_UNAVAILABLE';
  return new StagerError(code, `${doing} ${location} failed: ${WHY[errno] ?? errno}`, {
    next: NEXT[code],
    details: { location, errno },
    cause: error,
  });
}

/** The directories of a store. */
const DIRECTORIES = ['', ...BLOB_KINDS, DATA, TEMP];

/** As {@link displaced}, when that may be why `error` came. */
export async function displacedBy(root: string, error: unknown): Promise<StagerError | undefined> {
  if (!/^(ENOTDIR|EEXIST|EISDIR|ELOOP|ENOENT)$/.test(errnoOf(error) ?? '')) return undefined;
  return await displaced(root, error);
}

/** The failure when something else is in the place of one of the store's own directories; else undefined. */
export async function displaced(root: string, cause?: unknown): Promise<StagerError | undefined> {
  for (const name of DIRECTORIES) {
    const path = join(root, name);
    if ((await lstat(path).catch(() => undefined)) === undefined) continue;
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) continue;
    return new StagerError(
      'BLOBSTORE_UNAVAILABLE',
      `${path} is not a directory, so the blobs in it can't be read`,
      {
        next: 'Mount or restore it. If nothing was in it, remove it: the next use creates it again.',
        details: { path },
        cause,
      },
    );
  }
  return undefined;
}

/** The failure for a blob that is not there: why, as far as that can be seen. */
export async function absent(root: string, key: BlobKey, location: string): Promise<StagerError> {
  const lost = await displaced(root);
  if (lost !== undefined) return lost;
  const isNamed = (await lstat(linkPath(root, key)).catch(() => undefined)) !== undefined;
  const message = isNamed ? `the data of blob ${location} is gone` : `there is no blob ${location}`;
  const list = 'List the blobs with `stager blobs ls`.';
  return new StagerError('BLOB_NOT_FOUND', message, {
    next: isNamed ? `${remedyFor(key.kind)}.` : list,
    details: { location },
  });
}
