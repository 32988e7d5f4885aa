/**
 * Keeps the build cache between stagings: restored before the scripts run, saved after a success, and neither
 * packed nor uploaded when it did not change.
 *
 * Beside the tarball is `<name>.fingerprint`, a small JSON document with a digest of the tree (names, modes,
 * sizes, contents, links; no times) and the sha256 of the tarball that it was made from. It is written last, so one
 * that names the stored tarball describes it; any other is ignored.
 */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { BlobInfo, BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, type StagerError } from '../../words/errors.ts';
import { buildCacheContents } from '../droplet/contents.ts';
import { DEFAULT_COMPRESSION, tarballContentType } from '../droplet/pack/compression.ts';
import { type PackOptions, type PackSummary, packTarball } from '../droplet/pack/tarball.ts';
import { fingerprintTree } from '../droplet/pack/tree-fingerprint.ts';
import { type UnpackOptions, type UnpackSummary, unpackTarball } from '../droplet/unpack/unpack.ts';

/** What became of a build cache that was to be saved. */
export type SavedBuildCache =
  | { readonly outcome: 'unchanged'; readonly info: BlobInfo }
  | { readonly outcome: 'saved'; readonly info: BlobInfo; readonly summary: PackSummary };

/** What became of one that was to be restored. */
export type RestoredBuildCache =
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'restored'; readonly info: BlobInfo; readonly summary: UnpackSummary }
  /** Empty the directory, warn, and go on without it. */
  | { readonly outcome: 'broken'; readonly reason: StagerError };

const FORMAT = 1;
/** A fingerprint document has about 200 bytes. */
const MAX_DOCUMENT_BYTES = 4096;
const document = z.object({ format: z.literal(FORMAT), tree: z.string(), tarball: z.string() });

/** Where a build cache is kept. */
export interface BuildCachePlace {
  readonly store: BlobStore;
  readonly key: BlobKey;
}

/**
 * Stores the build cache in `dir`, unless the one that is stored was made from the same tree. With `replace`, whatever is
 * stored: it could not be read.
 *
 * @throws what {@link packTarball} and the store's `put` throw. A caller should warn and go on: the droplet is fine.
 */
export async function saveBuildCache(
  dir: string,
  place: BuildCachePlace,
  options: PackOptions & { readonly replace?: boolean },
): Promise<SavedBuildCache> {
  const { store, key } = place;
  const { signal } = options;
  const contents = buildCacheContents(dir);
  const tree = await fingerprintTree(contents, options);
  const stored = options.replace === true ? undefined : await store.stat(key, { signal });
  const known = stored === undefined ? undefined : await readFingerprint(place, signal);
  if (stored !== undefined && known?.tree === tree && known.tarball === stored.sha256) {
    return { outcome: 'unchanged', info: stored };
  }
  const packed = packTarball(contents, options);
  const contentType = tarballContentType(options.compression ?? DEFAULT_COMPRESSION);
  const info = await store.put(key, packed.body, { contentType, signal });
  const summary = await packed.summary;
  const body = JSON.stringify({ format: FORMAT, tree, tarball: info.sha256 });
  await store.put(besideKey(key), Readable.from([Buffer.from(body)]), {
    contentType: 'application/json',
    signal,
  });
  return { outcome: 'saved', info, summary };
}

/**
 * Unpacks the stored build cache into `dir`. A cache that is missing or broken is a value, not a failure: staging
 * works without one. Only cancelling is thrown.
 */
export async function restoreBuildCache(
  dir: string,
  place: BuildCachePlace,
  options: Omit<UnpackOptions, 'what'>,
): Promise<RestoredBuildCache> {
  try {
    const { info, body } = await place.store.get(place.key, { signal: options.signal });
    const summary = await unpackTarball(body, dir, { ...options, what: 'the build cache' });
    return { outcome: 'restored', info, summary };
  } catch (error) {
    if (isStagerError(error, 'BLOB_NOT_FOUND')) return { outcome: 'absent' };
    if (!isStagerError(error) || error.code === 'CANCELLED') throw error;
    return { outcome: 'broken', reason: error };
  }
}

function besideKey(key: BlobKey): BlobKey {
  return { kind: key.kind, name: `${key.name}.fingerprint` };
}

async function readFingerprint(
  { store, key }: BuildCachePlace,
  signal: AbortSignal,
): Promise<z.infer<typeof document> | undefined> {
  try {
    const { info, body } = await store.get(besideKey(key), { signal });
    if (info.sizeBytes > MAX_DOCUMENT_BYTES) {
      body.destroy();
      return undefined;
    }
    const content: unknown = JSON.parse(await text(body));
    return document.safeParse(content).data;
  } catch (error) {
    // What can't be read says nothing, and is replaced with the cache.
    if (isStagerError(error) ? error.code !== 'CANCELLED' : error instanceof SyntaxError) return undefined;
    throw error;
  }
}
