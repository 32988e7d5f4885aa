/** What has to be there for something to be mounted over it. Made without ever following a link. */
import { lstat, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import { makeDirectory } from '../child/files.ts';
import type { Mount } from '../port/sandbox.ts';

/** An entry that a mount covers. */
export interface MountPoint {
  /** From the top of the tree that it is made in. */
  readonly path: string;
  readonly directory: boolean;
}

/** What `mount` needs at its target; `below` is cut off the path. */
export async function pointFor({ source, target }: Mount, below = ''): Promise<MountPoint> {
  return { path: target.slice(below.length), directory: (await stat(source)).isDirectory() };
}

/** The last of `binds` that shows something at `target`. */
export function coveredBy(target: string, binds: readonly Mount[]): Mount | undefined {
  return binds.findLast((bind) => target === bind.target || target.startsWith(`${bind.target}/`));
}

/**
 * Makes it in `root`; what is there stays.
 *
 * @throws StagerError SANDBOX_FAILED when something else is in the way.
 */
export async function makeMountPoint(root: string, { path, directory }: MountPoint): Promise<void> {
  if (directory) return await makeDirectories(root, path);
  await makeDirectories(root, dirname(path));
  await writeFile(join(root, path), '', { flag: 'a' });
}

/** @throws StagerError SANDBOX_FAILED when something that is no directory is in the way. */
export async function makeDirectories(root: string, path: string): Promise<void> {
  let current = root;
  for (const name of path.split('/').filter(Boolean)) {
    current = join(current, name);
    await unlessThere(makeDirectory(current, 0o755));
    if (!(await lstat(current)).isDirectory()) {
      throw new StagerError(
        'SANDBOX_FAILED',
        `no mount point can be made at ${path}: ${name} is not a directory`,
        { next: 'Use a stack in which it is a directory.', details: { path } },
      );
    }
  }
}

/** Waits for something to be made that may be there. */
export async function unlessThere(made: Promise<void>): Promise<void> {
  await made.catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}
