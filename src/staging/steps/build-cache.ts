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
import { dropOtherArchives, restoreArchive, storeArchives } from '../unpacked/archives.ts';
import { type Wish, wishesIn } from '../unpacked/wish.ts';
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
  const place = await placeOf(staging, keys);
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

/** Puts archives back that the restored cache asks for and this machine has no tree of. */
export async function restoreArchives(
  staging: Staging,
  { keys, wishes }: Pick<CacheInput, 'keys'> & { readonly wishes: readonly Wish[] },
): Promise<void> {
  const { ports, signal } = staging;
  const place = await placeOf(staging, keys);
  const { owner } = ports.sandbox;
  for (const wish of wishes) if (!wish.isThere) await restoreArchive(wish, place, { owner, signal });
}

/** Stores the cache directory unless it did not change, and archives in it that are not stored yet. */
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
  const place = await placeOf(staging, keys);
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
        async () => {
          const wishes = await wishesIn(workspace.cache);
          // A person who clears the cache may do it because of what is stored.
          const replace = request.cache === 'clear';
          const apart = new Set(
            (await storeArchives(wishes, place, { signal, replace })).map(({ path }) => `./${path}`),
          );
          const leaveOut = (name: string): boolean => apart.has(name);
          const result = await tarball.saveBuildCache(workspace.cache, place, { ...options, leaveOut });
          if (result.outcome === 'saved') await dropOtherArchives(wishes, place, signal);
          return result;
        },
        { report, signal },
      ),
    (result) =>
      result?.outcome === 'unchanged' ? 'unchanged' : result && formatBytes(result.info.sizeBytes),
  );
  return saved === undefined ? undefined : storedBlob(saved.info, ports.blobs);
}

async function placeOf(
  { ports, request }: Staging,
  buildpackKeys: readonly string[],
): Promise<tarball.BuildCachePlace> {
  const key = await buildCacheKey({ appGuid: request.app.guid, stack: request.stack, buildpackKeys });
  return { store: ports.blobs, key };
}
