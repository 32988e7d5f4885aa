/** Makes, removes and sweeps the directory tree of one staging. */
import { chmod, chown, mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Owner } from '../../machine/host/owner.ts';
import { removeTree } from '../../machine/host/remove-tree.ts';
import type { Volume, VolumeSize, Volumes } from '../../machine/sandbox/port/volume.ts';
import { unmountAt } from '../../machine/sandbox/volume/unmount.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import { deadWorkspaces, removeClaim, writeClaim } from './claim.ts';
import { type Workspace, workspaceAt } from './layout.ts';

/** How a workspace is made. */
export interface WorkspaceOptions {
  /** Directory that holds workspaces; made (0700) if missing. */
  readonly parent: string;
  /** Gets everything below `tmp`; absent: the caller. */
  readonly owner?: Owner;
  /** Mode of the workspace's root, default 0700; a runtime that is not root outside may need 0711. */
  readonly rootMode?: number;
  /** Default: a new one. Must not be in use. */
  readonly guid?: Guid;
  /** The file system that the workspace is to have for itself; one that may be kept has none. */
  readonly volume?: { readonly volumes: Volumes | undefined; readonly size: VolumeSize };
}

/** When a workspace stays for a person to look at. */
export type Keep = 'always' | 'failed' | 'never';

/** A workspace that this process owns. */
export interface OwnedWorkspace extends Workspace {
  readonly guid: Guid;
  /** Whether a file system of its own has no room left: then its limit is to blame, not the machine's disk. */
  isFull(): Promise<boolean>;
  /**
   * Ends the ownership: removes the tree, or keeps it as `keep` says. Safe to call twice.
   *
   * @returns `kept` or `removed`.
   * @throws StagerError UNEXPECTED when something in it can't be removed.
   */
  release(options: { readonly keep: Keep; readonly failed: boolean }): Promise<'kept' | 'removed'>;
}

/**
 * Makes the private tree of one staging, with a claim that names this process.
 *
 * @throws StagerError HOST_DISK_FULL, CONFIG_INVALID when the parent can't be written.
 */
export async function createWorkspace(options: WorkspaceOptions): Promise<OwnedWorkspace> {
  const guid = options.guid ?? newGuid();
  const { parent, rootMode = 0o700 } = options;
  const root = join(parent, guid);
  const paths = workspaceAt(root);
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await writeClaim(parent, guid);
  } catch (error) {
    throw asHostError(parent, error);
  }
  let made = false;
  let volume: Volume | undefined;
  try {
    await mkdir(root, { mode: 0o700 });
    made = true;
    volume = await options.volume?.volumes?.mount(root, options.volume.size);
    await makeTree(paths, options.owner);
    await chmod(root, rootMode);
  } catch (error) {
    // A directory that was there before is somebody's kept workspace.
    await volume?.release();
    if (made) await removeTree(root).catch(() => undefined);
    await removeClaim(parent, guid).catch(() => undefined);
    throw asHostError(parent, error);
  }
  return {
    ...paths,
    guid,
    isFull: async () => (await volume?.isFull()) === true,
    release: async (how) => {
      await volume?.release();
      return await release(root, guid, how);
    },
  };
}

/**
 * Removes what processes that are dead left under `parent`; nothing whose owner lives, can't be judged from
 * here, or that was kept on purpose. Several processes may sweep at once: removing is idempotent and a guid is
 * never used again.
 *
 * @returns guids removed, and those that could not be, with the reason.
 */
export async function sweepWorkspaces(
  parent: string,
  options: { readonly now?: number } = {},
): Promise<{
  readonly removed: readonly Guid[];
  readonly failed: readonly { readonly guid: Guid; readonly error: unknown }[];
}> {
  const removed: Guid[] = [];
  const failed: { guid: Guid; error: unknown }[] = [];
  for (const guid of await deadWorkspaces(parent, options.now ?? Date.now())) {
    try {
      await unmountAt(join(await realpath(parent), guid));
      await removeTree(join(parent, guid));
      await removeClaim(parent, guid);
      removed.push(guid);
    } catch (error) {
      failed.push({ guid, error });
    }
  }
  return { removed, failed };
}

async function release(
  root: string,
  guid: Guid,
  { keep, failed }: { readonly keep: Keep; readonly failed: boolean },
): Promise<'kept' | 'removed'> {
  const kept = keep === 'always' || (keep === 'failed' && failed);
  if (!kept) await removeTree(root);
  await removeClaim(dirname(root), guid);
  return kept ? 'kept' : 'removed';
}

async function makeTree(paths: Workspace, owner: Owner | undefined): Promise<void> {
  await mkdir(paths.platform, { mode: 0o755 });
  const given = [
    paths.tmp,
    paths.app,
    paths.cache,
    paths.contents,
    paths.deps,
    paths.profileD,
    paths.buildpacks,
    paths.envDir,
    paths.home,
  ];
  for (const path of given) {
    await mkdir(path, { mode: 0o755 });
    // The umask may have taken bits away.
    await chmod(path, path === paths.tmp ? 0o1777 : 0o755);
    if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  }
  await chmod(paths.platform, 0o755);
}

const REFUSALS: ReadonlySet<string> = new Set(['EACCES', 'EEXIST', 'ENOTDIR', 'EPERM', 'EROFS']);

function asHostError(parent: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new StagerError('HOST_DISK_FULL', `no space for a workspace in ${parent}`, {
      next: 'Free space there, or choose another directory for workspaces.',
      details: { path: parent },
      cause: error,
    });
  }
  if (errno !== undefined && REFUSALS.has(errno)) {
    return new StagerError('CONFIG_INVALID', `no workspace can be made in ${parent}: ${errno}`, {
      next: 'Choose a directory for workspaces that stager may write to.',
      details: { path: parent, errno },
      cause: error,
    });
  }
  return error;
}
