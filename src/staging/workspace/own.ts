/**
 * The workspace's own directories after foreign code ran in it.
 *
 * All that is below `tmp` is writable to scripts, so `app`, `cache`, `contents` or any other may be a link to
 * anywhere on the host by now, and this process may be root. Nothing may be read, written, removed or given away
 * through such a path before one of these functions has looked at it. What they found holds until the next script
 * starts, since no process of the workspace outlives its sandbox.
 */
import { lstat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type Owner, ownedDirectory } from '../../machine/host/owner.ts';
import { removeTree } from '../../machine/host/remove-tree.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import type { Workspace } from './layout.ts';

type Place = Pick<Workspace, 'tmp'>;

/**
 * The first part of `path` (below `tmp`) that is something other than a directory; undefined when all
 * of it is real, or ends because the rest is absent.
 */
export async function replacedPart(workspace: Place, path: string): Promise<string | undefined> {
  for (const part of partsOf(workspace, path)) {
    const kind = await kindOf(part);
    if (kind === 'absent') return undefined;
    if (kind === 'other') return part;
  }
  return undefined;
}

/**
 * Refuses directories that a script replaced with something else.
 *
 * @throws StagerError DROPLET_PACK_FAILED; the buildpack is to blame.
 */
export async function demandOwn(workspace: Place, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const replaced = await replacedPart(workspace, path);
    if (replaced === undefined) continue;
    const shown = join('/tmp', relative(workspace.tmp, replaced));
    throw new StagerError('DROPLET_PACK_FAILED', `a script replaced ${shown} with something else`, {
      blame: 'buildpack',
      next: 'The buildpack has to leave a directory there, not a link or a file.',
      details: { path: shown },
    });
  }
}

/**
 * Makes `path` a real directory of `owner` again: what a script put in its place, or in the place of one above it,
 * is removed; a link's target is not touched. A directory that is there stays with what it holds.
 */
export async function reclaim(workspace: Place, path: string, owner: Owner): Promise<void> {
  for (const part of partsOf(workspace, path)) {
    const kind = await kindOf(part);
    if (kind === 'directory') continue;
    if (kind === 'other') await removeTree(part);
    await ownedDirectory(part, owner);
  }
}

/** `tmp/contents`, `tmp/contents/deps` for the latter: what a sandbox mounts is `tmp` itself and so is not a part. */
function partsOf({ tmp }: Place, path: string): readonly string[] {
  const names = relative(tmp, path).split(sep);
  if (names.length === 0 || names[0] === '' || names.includes('..')) {
    throw new Error(`${path} is not below ${tmp}`);
  }
  return names.map((_, index) => join(tmp, ...names.slice(0, index + 1)));
}

async function kindOf(path: string): Promise<'directory' | 'absent' | 'other'> {
  try {
    return (await lstat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'absent';
    throw error;
  }
}
