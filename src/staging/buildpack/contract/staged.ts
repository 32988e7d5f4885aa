/**
 * Makes a workspace ready for an order of buildpacks: a private writable copy of each buildpack, deps, profile.d and
 * cache directories (buildpack-contracts.md 2.3, 2.8, 6.1; staging-internals.md 6.2).
 */
import { lchown, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { copyTree } from '../../../machine/host/copy-tree.ts';
import { needsChown, type Owner, ownedDirectory } from '../../../machine/host/owner.ts';
import { removeTree } from '../../../machine/host/remove-tree.ts';
import type { Sha256 } from '../../../words/ids.ts';
import { keyHash } from '../../build-cache/key-hash.ts';
import { INSIDE, type Workspace } from '../../workspace/layout.ts';
import { reclaim } from '../../workspace/own.ts';
import { depsIndex, type Family, FINAL_CACHE } from './contract.ts';

/** A buildpack whose bytes are known and at hand. */
export interface ResolvedBuildpack {
  /** As a person gave it, without credentials; what result.json says. */
  readonly key: string;
  /** What directory names are hashed from: the key, and for installed buildpacks the digest as well. */
  readonly cacheKey: string;
  /** Short name for people and events. */
  readonly name: string;
  /** From the buildpack's VERSION file, or the resolved commit. */
  readonly version?: string;
  /** Digest of the tree. */
  readonly digest: Sha256;
  /** Host directory with the tree; never written to. */
  readonly dir: string;
  /** Host directory of the buildpack's root: `dir` or the one directory nested in it. */
  readonly root: string;
  readonly family: Family;
  /** Part of stager: its detect reads the app and does nothing else. */
  readonly ships?: true;
}

/** A buildpack in a workspace. */
export interface StagedBuildpack extends ResolvedBuildpack {
  readonly position: number;
  /** Padded position. */
  readonly index: string;
  /** Its copy on the host. */
  readonly copy: string;
  /** Its root on the host and inside. */
  readonly hostRoot: string;
  readonly insideRoot: string;
  /** CACHE_DIR inside. */
  readonly cacheDir: string;
}

/** How the order was chosen: tried one after another, or given. */
export type OrderMode = 'detect' | 'explicit';

/** Whose the workspace is, and when to stop. */
export interface PrepareOptions {
  readonly owner: Owner;
  readonly signal: AbortSignal;
}

/** Where a buildpack stands: candidates of detect are each the last of an order of one. */
export interface OrderPlace {
  readonly position: number;
  readonly count: number;
}

/** Makes the directories of an order of `count` buildpacks; deps all at once, so that neighbours can be listed. */
export async function prepareWorkspace(
  workspace: Workspace,
  count: number,
  options: PrepareOptions,
): Promise<void> {
  await makeDirectories(workspace, options.owner);
  for (let position = 0; position < count; position += 1) {
    await ownedDirectory(join(workspace.deps, depsIndex(position, count)), options.owner);
  }
}

/** Copies one buildpack into the workspace. One that is listed twice has one key and so one directory. */
export async function stageBuildpack(
  workspace: Workspace,
  buildpack: ResolvedBuildpack,
  { position, count, ...options }: OrderPlace & PrepareOptions,
): Promise<StagedBuildpack> {
  const hash = await keyHash(buildpack.cacheKey);
  const inner = relative(buildpack.dir, buildpack.root);
  const copy = join(workspace.buildpacks, hash);
  await reclaim(workspace, workspace.buildpacks, options.owner);
  if ((await lstat(copy).catch(() => undefined)) === undefined) await copyTree(buildpack.dir, copy, options);
  const isLast = position === count - 1;
  return {
    ...buildpack,
    position,
    index: depsIndex(position, count),
    copy,
    hostRoot: join(copy, inner),
    insideRoot: join(INSIDE.buildpacks, hash, inner),
    cacheDir: join(INSIDE.cache, isLast || buildpack.family === 'heroku' ? FINAL_CACHE : hash),
  };
}

async function makeDirectories(workspace: Workspace, owner: Owner): Promise<void> {
  await mkdir(workspace.platform, { recursive: true });
  for (const path of [workspace.cache, workspace.contents, workspace.deps, workspace.profileD]) {
    await ownedDirectory(path, owner);
  }
  for (const path of [workspace.buildpacks, workspace.home, join(workspace.home, 'app')]) {
    await ownedDirectory(path, owner);
  }
}

/** Makes the cache directories of this order and removes every other entry of the cache. */
export async function prepareCache(
  workspace: Workspace,
  staged: readonly StagedBuildpack[],
  owner: Owner,
): Promise<void> {
  const needed = new Set([FINAL_CACHE, ...staged.map((it) => relative(INSIDE.cache, it.cacheDir))]);
  for (const name of await readdir(workspace.cache)) {
    if (!needed.has(name)) await removeTree(join(workspace.cache, name));
  }
  for (const name of needed) {
    const path = join(workspace.cache, name);
    // A link or file in its place: a cache of another tool, or a hostile one.
    if ((await lstat(path).catch(() => undefined))?.isDirectory() === false) await rm(path);
    await ownedDirectory(path, owner);
  }
}

/** Writes ENV_DIR: one file a variable, its content the value as it is. */
export async function writeEnvDir(
  workspace: Workspace,
  variables: Readonly<Record<string, string>>,
  owner: Owner,
): Promise<void> {
  await removeTree(workspace.envDir);
  await ownedDirectory(workspace.envDir, owner);
  for (const [name, value] of Object.entries(variables)) {
    if (name.includes('/') || name === '.' || name === '..') continue;
    const path = join(workspace.envDir, name);
    await writeFile(path, value, { mode: 0o644 });
    if (needsChown(owner)) await lchown(path, owner.uid, owner.gid);
  }
}
