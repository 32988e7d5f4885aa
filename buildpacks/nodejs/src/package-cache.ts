/** The package manager's cache between stagings: the one in use is kept while it is small enough. */
import { cp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, type Log, pruneCache } from '../../kit/index.ts';
import { CACHE_FOLDERS } from './commands.ts';
import type { ManagerName } from './manager.ts';

/**
 * Removes caches of managers that the app does not use, and the used one when it has grown above the limit
 * (MB, NODE_CACHE_LIMIT_MB): caches only grow, and entries that are out of use can't be told from the others. So are the kept packages.
 */
export async function prunePackageCache(
  cacheDir: string,
  used: ManagerName,
  io: { readonly log: Log; readonly limit: string | undefined },
): Promise<void> {
  for (const [name, folder] of Object.entries(CACHE_FOLDERS)) {
    if (name !== used) await rm(join(cacheDir, folder), { recursive: true, force: true });
  }
  for (const folder of [CACHE_FOLDERS[used], 'kept']) {
    await pruneCache(cacheDir, [folder], { ...io, variable: 'NODE_CACHE_LIMIT_MB' });
  }
}

/**
 * Holds npm's index as it is. npm adds lines to it at every install, with the time on them, also when it fetched
 * nothing that it did not have; then what is returned puts the index back, so that the cache is the one it was and
 * need not be stored again.
 */
export async function holdNpmIndex(cacheDir: string): Promise<() => Promise<void>> {
  const store = join(cacheDir, CACHE_FOLDERS.npm, '_cacache');
  const index = join(store, 'index-v5');
  const aside = join(store, 'index-before');
  const before = await namesBelow(join(store, 'content-v2'));
  if (before.length === 0 || (await namesBelow(index)).length === 0) return async () => {};
  await rm(aside, { recursive: true, force: true });
  await cp(index, aside, { recursive: true, preserveTimestamps: true });
  return async () => {
    const after = await namesBelow(join(store, 'content-v2'));
    const same = after.length === before.length && after.every((name, at) => name === before[at]);
    if (same) await rm(index, { recursive: true, force: true });
    if (same) await rename(aside, index);
    else await rm(aside, { recursive: true, force: true });
  };
}

async function namesBelow(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir, { recursive: true })).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
