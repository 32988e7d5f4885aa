/**
 * Archives of a build cache that notes ask to be unpacked. Each is a blob of its own, beside the cache of its app and
 * named by its digest, and not a part of the cache's tarball: it is stored once, and read only where this machine has not
 * unpacked it already.
 */
import { createWriteStream } from 'node:fs';
import { lchown, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { fileChecksum } from '../../machine/host/file-digest.ts';
import { needsChown, type Owner } from '../../machine/host/owner.ts';
import type { BlobKey } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, throwIfCancelled } from '../../words/errors.ts';
import type { BuildCachePlace } from '../build-cache/tarball.ts';
import type { Wish } from './wish.ts';

/**
 * Stores those that are not stored yet, if they are what their notes say. With `replace`, whatever is stored.
 *
 * @returns those that are stored, which the cache's tarball need not hold.
 * @throws StagerError those of the store, CANCELLED.
 */
export async function storeArchives(
  wishes: readonly Wish[],
  place: BuildCachePlace,
  { signal, replace = false }: { readonly signal: AbortSignal; readonly replace?: boolean },
): Promise<readonly Wish[]> {
  const stored: Wish[] = [];
  for (const wish of wishes) {
    if (!wish.isThere) continue;
    const key = keyOf(place, wish);
    // Whatever can't be looked at is replaced.
    const known = await place.store.stat(key, { signal }).catch(() => undefined);
    throwIfCancelled(signal);
    if (known === undefined || replace) {
      if ((await fileChecksum(wish.archive, wish.algorithm, signal)) !== wish.digest) continue;
      await place.store.putFile(key, wish.archive, { contentType: 'application/gzip', signal });
    }
    stored.push(wish);
  }
  return stored;
}

/**
 * Puts one back where the cache had it. What can't be had is fetched again by who needs it.
 *
 * @throws StagerError CANCELLED only.
 */
export async function restoreArchive(
  wish: Wish,
  place: BuildCachePlace,
  { owner, signal }: { readonly owner: Owner; readonly signal: AbortSignal },
): Promise<void> {
  const key = keyOf(place, wish);
  try {
    const { body } = await place.store.get(key, { signal });
    await pipeline(body, createWriteStream(wish.archive, { flags: 'wx' }), { signal });
    if (needsChown(owner)) await lchown(wish.archive, owner.uid, owner.gid);
  } catch (error) {
    throwIfCancelled(signal);
    if (!isStagerError(error) && !(error instanceof Error && 'code' in error)) throw error;
    await rm(wish.archive, { force: true }).catch(() => undefined);
    // The one that is fetched instead is stored in its place.
    if (isStagerError(error, 'BLOB_CORRUPT'))
      await place.store.delete(key, { signal }).catch(() => undefined);
  }
}

/** Removes archives that the cache asks for no more. */
export async function dropOtherArchives(
  wishes: readonly Wish[],
  place: BuildCachePlace,
  signal: AbortSignal,
): Promise<void> {
  const { kind } = place.key;
  const kept = new Set(wishes.map((wish) => keyOf(place, wish).name));
  for await (const { key } of place.store.names(kind, { signal, prefix: folderOf(place) }))
    if (!kept.has(key.name)) await place.store.delete(key, { signal });
}

const folderOf = ({ key }: BuildCachePlace): string => `${key.name}.archives/`;

function keyOf(place: BuildCachePlace, { digest }: Wish): BlobKey {
  return { kind: place.key.kind, name: `${folderOf(place)}${digest}` };
}
