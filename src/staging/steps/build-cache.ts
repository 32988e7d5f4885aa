/**
 * The build cache of a staging: restored when it is known which buildpacks will use it, saved after a success. It
 * only saves time, so what is wrong with one is a warning.
 */

import { ownedDirectory } from '../../machine/host/owner.ts';
import type { StoredBlob } from '../../words/staging-record.ts';
import { formatBytes, MEBIBYTE } from '../../words/units.ts';
import { buildCacheKey, restoreByBuildpack, saveByBuildpack } from '../build-cache/by-buildpack.ts';
import * as tarball from '../build-cache/tarball.ts';
import { storedBlob } from '../droplet/store.ts';
import { apparentSize } from '../workspace/apparent-size.ts';
import type { Workspace } from '../workspace/layout.ts';
import { replacedPart } from '../workspace/own.ts';
import type { Staging } from './staging.ts';

/** The part of a build cache that belongs to one order of buildpacks. */
interface CacheInput {
  readonly workspace: Workspace;
  /** Keys of the buildpacks that use it. */
  readonly keys: readonly string[];
}

/** Largest cache that is kept: what a workspace may hold. */
const limitBytes = (staging: Staging): number => staging.request.diskMb * MEBIBYTE;

/** Fills the workspace's cache directory with what the last staging left. */
export async function restoreCache(staging: Staging, { workspace, keys }: CacheInput): Promise<void> {
  const { ports, request, signal, report, phases } = staging;
  if (request.cache !== 'use') return;
  const place = { store: ports.blobs, key: await cacheKey(staging, keys) };
  const stored = await ports.blobs.stat(place.key, { signal }).catch(() => 'unreadable');
  if (stored === undefined) return;
  const { owner } = ports.sandbox;
  await phases.run(
    { name: 'restore-cache' },
    () =>
      restoreByBuildpack(
        workspace.cache,
        async () => {
          const limits = { bytes: limitBytes(staging) };
          const restored = await tarball.restoreBuildCache(workspace.cache, place, { signal, owner, limits });
          staging.cacheBroken = restored.outcome === 'broken';
          if (restored.outcome === 'broken') throw restored.reason;
          return restored.outcome === 'restored';
        },
        { report, signal },
      ),
    (restored) => (restored ? 'build cache restored' : 'no build cache'),
  );
  // A broken one was removed with its directory.
  await ownedDirectory(workspace.cache, owner);
}

/** Stores the cache directory unless it did not change. */
export async function saveCache(
  staging: Staging,
  { workspace, keys }: CacheInput,
): Promise<StoredBlob | undefined> {
  const { ports, request, signal, report, phases } = staging;
  if (request.cache === 'none') return undefined;
  if ((await replacedPart(workspace, workspace.cache)) !== undefined) {
    staging.warn('build-cache-not-kept', 'a script replaced the build cache with something else');
    return undefined;
  }
  const apparentBytes = await apparentSize(workspace.cache, signal);
  const place = { store: ports.blobs, key: await cacheKey(staging, keys) };
  const { memberCache } = ports;
  const options = {
    signal,
    memberCache,
    replace: staging.cacheBroken,
    ...(request.compression !== undefined && { compression: request.compression }),
  };
  const saved = await phases.run(
    { name: 'save-cache' },
    () =>
      saveByBuildpack(
        { sizeBytes: apparentBytes, limitBytes: limitBytes(staging) },
        () => tarball.saveBuildCache(workspace.cache, place, options),
        { report, signal },
      ),
    (result) =>
      result?.outcome === 'unchanged' ? 'unchanged' : result && formatBytes(result.info.sizeBytes),
  );
  return saved === undefined ? undefined : storedBlob(saved.info, ports.blobs);
}

async function cacheKey({ request }: Staging, keys: readonly string[]) {
  return await buildCacheKey({ appGuid: request.app.guid, stack: request.stack, buildpackKeys: keys });
}
