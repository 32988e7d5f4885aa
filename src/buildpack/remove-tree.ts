/** Removes a tree that a script left, read-only directories included (buildpack-contracts.md 6.1: Go's module cache). */
import { chmod, lstat, readdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { errnoOf } from '../errors.ts';

/** Removes `path` and all below it; links are removed, not followed. Fine when it is absent. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error;
    await makeWritable(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function makeWritable(path: string): Promise<void> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts?.isDirectory() !== true) return;
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeWritable(join(path, entry.name));
  }
}

/**
 * {@link removeTree} for a path whose parents scripts could have replaced by links: does nothing unless the path is
 * really below `root`.
 */
export async function removeBelow(root: string, path: string): Promise<void> {
  const parent = await realpath(dirname(path)).catch(() => undefined);
  if (parent !== join(await realpath(root), relative(root, dirname(path)))) return;
  await removeTree(join(parent, basename(path)));
}
