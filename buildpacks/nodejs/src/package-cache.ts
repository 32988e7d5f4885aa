/** The package manager's cache between stagings: the one in use is kept while it is small enough. */
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, type Log } from '../../kit/index.ts';
import { CACHE_FOLDERS } from './commands.ts';
import type { ManagerName } from './manager.ts';

const DEFAULT_LIMIT_MB = 1024;

/**
 * Removes caches of managers that the app does not use, and the used one when it has grown above the limit
 * (MB, NODE_CACHE_LIMIT_MB): caches only grow, and entries that are out of use can't be told from the others.
 */
export async function prunePackageCache(
  cacheDir: string,
  used: ManagerName,
  io: { readonly log: Log; readonly limit: string | undefined },
): Promise<void> {
  for (const [name, folder] of Object.entries(CACHE_FOLDERS)) {
    if (name !== used) await rm(join(cacheDir, folder), { recursive: true, force: true });
  }
  const limitMb = /^\d+$/.test(io.limit ?? '') ? Number(io.limit) : DEFAULT_LIMIT_MB;
  const path = join(cacheDir, CACHE_FOLDERS[used]);
  const sizeMb = Math.ceil((await sizeBytes(path)) / 1024 / 1024);
  if (sizeMb <= limitMb) return;
  io.log.info(`Dropping the package cache: ${sizeMb} MB of ${limitMb} MB (NODE_CACHE_LIMIT_MB)`);
  await rm(path, { recursive: true, force: true });
}

async function sizeBytes(path: string): Promise<number> {
  try {
    const at = await lstat(path);
    if (!at.isDirectory()) return at.size;
    let total = 0;
    for (const name of await readdir(path)) total += await sizeBytes(join(path, name));
    return total;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
