/**
 * The build cache of an app between stagings: one tarball for app, stack and order of buildpacks. A cache only saves
 * time, so whatever is wrong with one is a warning and a slower staging.
 */

import { mkdir } from 'node:fs/promises';
import { removeTree } from '../../machine/host/remove-tree.ts';
import type { BlobKey } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError } from '../../words/errors.ts';
import type { Report } from '../../words/events.ts';
import { phaseName } from '../../words/phases.ts';
import { keyHash } from './key-hash.ts';

/** What a cache belongs to. */
export interface CacheOwner {
  readonly appGuid: string;
  readonly stack: string;
  /** Keys of the order, as {@link ResolvedBuildpack.key}: an upgrade of a buildpack keeps the cache. */
  readonly buildpackKeys: readonly string[];
}

/**
 * Where the cache is stored: `buildpack_cache/<app>/<stack>/<xxhash of the keys>`. Cloud Foundry keys by app and stack
 * only, and gives the cache of one buildpack to another that takes its place; here the order is part of the name.
 */
export async function buildCacheKey(owner: CacheOwner): Promise<BlobKey> {
  const order = await keyHash(JSON.stringify(owner.buildpackKeys));
  const parts = [owner.appGuid, owner.stack, order].map((it) => it.replace(/[^A-Za-z0-9._-]/g, '_'));
  return { kind: 'buildpack_cache', name: parts.join('/') };
}

/** What restoring and saving need. */
export interface CacheIo {
  readonly report: Report;
  readonly signal: AbortSignal;
}

/**
 * Fills `cacheDir` by `unpack`. When that fails, the directory is emptied, a warning is reported, and the staging goes
 * on without a cache.
 *
 * @param unpack returns false when there is no cache yet.
 * @returns whether a cache was restored.
 * @throws StagerError CANCELLED only.
 */
export async function restoreByBuildpack(
  cacheDir: string,
  unpack: () => Promise<boolean>,
  io: CacheIo,
): Promise<boolean> {
  try {
    return await unpack();
  } catch (error) {
    if (io.signal.aborted || !isExpected(error)) throw error;
    await removeTree(cacheDir);
    await mkdir(cacheDir, { recursive: true });
    const message = `the build cache can't be used and was left out: ${error.message}`;
    io.report({ type: 'warning', code: 'build-cache-ignored', message, phase: { name: 'restore-cache' } });
    return false;
  }
}

/**
 * Saves the cache by `pack` unless it is larger than `limitBytes`; a failure is a warning.
 *
 * @param sizeBytes of the cache directory.
 * @returns what `pack` returned, or undefined.
 * @throws StagerError CANCELLED only.
 */
export async function saveByBuildpack<T>(
  size: { readonly sizeBytes: number; readonly limitBytes: number },
  pack: () => Promise<T>,
  io: CacheIo,
): Promise<T | undefined> {
  const phase = { name: 'save-cache' } as const;
  if (size.sizeBytes > size.limitBytes) {
    const message = `the build cache has ${size.sizeBytes} bytes, the limit is ${size.limitBytes}: it was not kept`;
    io.report({ type: 'warning', code: 'build-cache-too-large', message, phase });
    return undefined;
  }
  try {
    return await pack();
  } catch (error) {
    if (io.signal.aborted || !isExpected(error)) throw error;
    const message = `the build cache could not be kept (${phaseName(phase)}): ${error.message}`;
    io.report({ type: 'warning', code: 'build-cache-not-kept', message, phase });
    return undefined;
  }
}

/** A failure that somebody can act on, or of the system; a bug of ours has neither form. */
function isExpected(error: unknown): error is Error {
  return isStagerError(error) || (error instanceof Error && 'code' in error);
}
