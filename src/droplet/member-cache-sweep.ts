/** Keeps the member cache within its size and age. */
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, throwIfCancelled } from '../errors.ts';

/** What the cache may be. */
export interface MemberCacheLimits {
  readonly maxBytes: number;
  /** Since a member was last used. */
  readonly maxAgeMs: number;
}

/** What a sweep did. */
export interface MemberCacheSweep {
  /** True when another sweep was recent enough that nothing was looked at. */
  readonly skipped: boolean;
  readonly removed: number;
  readonly removedBytes: number;
  readonly keptBytes: number;
}

/** A few apps of a gigabyte each, kept as long as a buildpack's own cache usually is. */
const DEFAULT_MEMBER_CACHE_LIMITS: MemberCacheLimits = {
  maxBytes: 4 * 1024 ** 3,
  maxAgeMs: 30 * 24 * 60 * 60 * 1000,
};

/** A sweep looks at every member: for a full cache a few hundred milliseconds, so not after every staging. */
const SWEEP_EVERY_MS = 10 * 60 * 1000;
/** What a killed writer left aside. No write takes so long. */
const ABANDONED_MS = 60 * 60 * 1000;

interface Found {
  readonly path: string;
  readonly sizeBytes: number;
  readonly usedAtMs: number;
}

/**
 * Removes members that were not used for too long, then the least recently used until the cache fits. Safe beside
 * stagings and other sweeps: whoever misses a member makes it again. `force` sweeps even when one ran lately.
 */
export async function sweepMemberCache(
  dir: string,
  options: { readonly limits?: MemberCacheLimits; readonly signal: AbortSignal; readonly force?: boolean },
): Promise<MemberCacheSweep> {
  const now = Date.now();
  const limits = options.limits ?? DEFAULT_MEMBER_CACHE_LIMITS;
  const stamp = join(dir, 'swept');
  const last = await statOrAbsent(stamp);
  if (options.force !== true && last !== undefined && now - last.usedAtMs < SWEEP_EVERY_MS) {
    return { skipped: true, removed: 0, removedBytes: 0, keptBytes: 0 };
  }
  const found: Found[] = [];
  for (const shard of await namesIn(dir)) {
    throwIfCancelled(options.signal);
    if (shard === 'tmp') await removeAbandoned(join(dir, shard), now);
    else if (/^[0-9a-f]{2}$/.test(shard)) found.push(...(await filesIn(join(dir, shard))));
  }
  found.sort((a, b) => b.usedAtMs - a.usedAtMs);
  let keptBytes = 0;
  let removed = 0;
  let removedBytes = 0;
  for (const { path, sizeBytes, usedAtMs } of found) {
    if (now - usedAtMs <= limits.maxAgeMs && keptBytes + sizeBytes <= limits.maxBytes) {
      keptBytes += sizeBytes;
      continue;
    }
    throwIfCancelled(options.signal);
    await rm(path, { force: true });
    removed += 1;
    removedBytes += sizeBytes;
  }
  if (found.length > 0) await writeStamp(stamp, now);
  return { skipped: false, removed, removedBytes, keptBytes };
}

async function removeAbandoned(dir: string, now: number): Promise<void> {
  for (const file of await filesIn(dir)) {
    if (now - file.usedAtMs > ABANDONED_MS) await rm(file.path, { force: true });
  }
}

async function filesIn(dir: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const name of await namesIn(dir)) {
    const file = await statOrAbsent(join(dir, name));
    if (file !== undefined) found.push(file);
  }
  return found;
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

async function statOrAbsent(path: string): Promise<Found | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { path, sizeBytes: size, usedAtMs: mtimeMs };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeStamp(path: string, now: number): Promise<void> {
  await writeFile(path, '');
  await utimes(path, now / 1000, now / 1000);
}
