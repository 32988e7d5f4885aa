/** Caches of language tools between stagings: they only grow, so each has a limit. */
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecording } from './bundle.ts';
import { errnoOf } from './failure.ts';
import type { Log } from './log.ts';

const DEFAULT_LIMIT_MB = 1024;

/** Drops the folders of CACHE_DIR when together they exceed the limit (MB) that `variable` states. */
export async function pruneCache(
  cacheDir: string,
  folders: readonly string[],
  io: { readonly log: Log; readonly limit: string | undefined; readonly variable: string },
): Promise<void> {
  // A bundle has to hold all that was fetched.
  if (isRecording()) return;
  const limitMb = /^\d+$/.test(io.limit ?? '') ? Number(io.limit) : DEFAULT_LIMIT_MB;
  const paths = folders.map((folder) => join(cacheDir, folder));
  let bytes = 0;
  for (const path of paths) bytes += await sizeBytes(path);
  const sizeMb = Math.ceil(bytes / 1024 / 1024);
  if (sizeMb <= limitMb) return;
  io.log.info(`Dropping the package cache: ${sizeMb} MB of ${limitMb} MB (${io.variable})`);
  for (const path of paths) await rm(path, { recursive: true, force: true });
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
