/** Keeps the member cache within its size and age. */

import { lstatSync } from 'node:fs';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { namesNow } from '../../../machine/host/names-in.ts';
import { errnoOf, isStagerError, throwIfCancelled } from '../../../words/errors.ts';

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
  /** Why it was not done, or not to its end (no permission, disk full): the cache may be larger than it should. */
  readonly fault?: string;
}

const NOTHING: MemberCacheSweep = { skipped: false, removed: 0, removedBytes: 0, keptBytes: 0 };

/** A few apps of a gigabyte each, kept as long as a buildpack's own cache usually is. */
const DEFAULT_MEMBER_CACHE_LIMITS: MemberCacheLimits = {
  maxBytes: 4 * 1024 ** 3,
  maxAgeMs: 30 * 24 * 60 * 60 * 1000,
};

/** A sweep looks at every member: for a full cache about half a second, so not after every one of many stagings. */
const SWEEP_EVERY_MS = 60 * 1000;
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
 *
 * @throws StagerError CANCELLED only.
 */
export async function sweepMemberCache(dir: string, options: SweepOptions): Promise<MemberCacheSweep> {
  try {
    return await sweep(dir, options);
  } catch (error) {
    const errno = errnoOf(error);
    if (isStagerError(error) || errno === undefined) throw error;
    return { ...NOTHING, fault: errno };
  }
}

interface SweepOptions {
  readonly limits?: MemberCacheLimits;
  readonly signal: AbortSignal;
  readonly force?: boolean;
}

async function sweep(dir: string, options: SweepOptions): Promise<MemberCacheSweep> {
  const now = Date.now();
  const limits = options.limits ?? DEFAULT_MEMBER_CACHE_LIMITS;
  const stamp = join(dir, 'swept');
  const ageMs = now - (statOrAbsent(stamp)?.usedAtMs ?? 0);
  // A time in the future comes from a wrong clock.
  if (options.force !== true && ageMs >= 0 && ageMs < SWEEP_EVERY_MS) return { ...NOTHING, skipped: true };
  const found: Found[] = [];
  for (const shard of namesNow(dir)) {
    await setImmediate();
    throwIfCancelled(options.signal);
    if (shard === 'tmp') await removeAbandoned(join(dir, shard), now);
    else if (/^[0-9a-f]{2}$/.test(shard)) found.push(...filesIn(join(dir, shard)));
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
    await rm(path, { recursive: true, force: true });
    removed += 1;
    removedBytes += sizeBytes;
  }
  if (found.length > 0) await writeStamp(stamp, now);
  return { skipped: false, removed, removedBytes, keptBytes };
}

async function removeAbandoned(dir: string, now: number): Promise<void> {
  for (const file of filesIn(dir)) {
    if (now - file.usedAtMs > ABANDONED_MS) await rm(file.path, { force: true });
  }
}

/** Synchronous, a shard at a time: 70,000 members take 0.4 s this way, and several seconds with a promise each. */
function filesIn(dir: string): Found[] {
  return namesNow(dir).flatMap((name) => statOrAbsent(join(dir, name)) ?? []);
}

/** Of the name itself: a link in the place of a member leads anywhere, and is removed like any other. */
function statOrAbsent(path: string): Found | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : { path, sizeBytes: stats.size, usedAtMs: stats.mtimeMs };
}

async function writeStamp(path: string, now: number): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await writeFile(path, '', { flag: 'wx' }).catch(unlessThere);
  await utimes(path, now / 1000, now / 1000);
}

/** Another sweep wrote it meanwhile. */
function unlessThere(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') throw error;
}
