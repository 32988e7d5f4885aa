/** The directory that holds everything stager keeps. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { callersMode } from './umask.ts';

/**
 * Makes the directory, with those above it, and looks whether it can be written to.
 *
 * @param path absolute.
 * @throws StagerError CONFIG_INVALID naming what the system said, HOST_DISK_FULL.
 */
export async function openDataHome(path: string): Promise<void> {
  try {
    await makeDirectories(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const errno = errnoOf(cause);
    const full = errno === 'ENOSPC' || errno === 'EDQUOT';
    throw new StagerError(
      full ? 'HOST_DISK_FULL' : 'CONFIG_INVALID',
      `the data home ${path} can't be used (${errno ?? String(cause)})`,
      {
        next: 'Choose a writable directory with --home or STAGER_HOME.',
        details: { path, errno },
        cause,
      },
    );
  }
}

/** Step by step: where a file system has no place for directories (/proc), Node's own recursion does not end. */
async function makeDirectories(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isDirectory() === true) return;
  if (found === undefined && path !== '/') await makeDirectories(dirname(path));
  // A sandbox's user has to pass through it, if only that.
  await mkdir(path, callersMode(0o777) | 0o711).catch((error: unknown) => {
    // Somebody else was quicker.
    if (errnoOf(error) !== 'EEXIST' || found !== undefined) throw error;
  });
}
