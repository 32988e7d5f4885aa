/** Removes entries below directories that scripts could have replaced by links. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { removeTree } from './remove-tree.ts';

/** Removes `path` unless one of its parents below `root` is no longer what it was: then nothing there is ours. */
export async function removeBelow(root: string, path: string): Promise<void> {
  const parent = await realpath(dirname(path)).catch(() => undefined);
  if (parent !== join(await realpath(root), relative(root, dirname(path)))) return;
  await removeTree(join(parent, basename(path)));
}
