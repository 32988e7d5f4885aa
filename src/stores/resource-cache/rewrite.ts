/**
 * Copying what packages still need out of packs that are mostly dead, or small, into new ones. Without it a pack stays
 * whole for one living file in it, and an app that is pushed a thousand times leaves a thousand packs of one file.
 *
 * The new packs and the word that the old ones match no more are one segment, so they take effect at once. The old ones
 * are then deleted like any pack that nobody needs: after the grace period, when all who may read them have ended.
 */
import { buffer } from 'node:stream/consumers';
import { isStagerError } from '../../words/errors.ts';
import { parseSha1 } from '../../words/ids.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import type { ContentSet } from './content-set.ts';
import type { LocatedResource } from './format.ts';
import { type Fingerprint, locate } from './lookup.ts';
import { DIRECTORY_BYTES } from './pack-directory.ts';
import type { PackReader } from './pack-reader.ts';
import { type NewResource, PACK_BYTES, writePacks } from './pack-writer.ts';
import type { Pool } from './pool.ts';
import { columnsOf, writeSegment } from './segment-writer.ts';
import { servedContents, sizeOfContent } from './served.ts';
import type { Snapshot } from './snapshot.ts';

/** Smaller packs are joined, when there are more than {@link MAX_SMALL_PACKS} of them. */
export const SMALL_PACK_BYTES = PACK_BYTES / 4;
export const MAX_SMALL_PACKS = 8;
/** A larger pack is rewritten when less than this share of it is needed. */
const LEAST_LIVE = 0.5;
/** What one collection rewrites of a tenant's pool at most; the next one continues. */
const MAX_BYTES = 4 * 2 ** 30;
const MAX_CONTENTS = 500_000;

/** What packages need of a pack. */
export interface PackUse {
  readonly sizeBytes: number;
  /** Contents that it serves and a package needs. */
  live: number;
  /** Their bytes. */
  liveBytes: number;
}

/** Ids of the packs to rewrite: at most half of what stays is dead, except for a few small packs. */
export function choosePacks(packs: Iterable<readonly [string, PackUse]>): readonly string[] {
  const used = [...packs].filter(([, { live }]) => live > 0);
  const small = used.filter(([, { sizeBytes }]) => sizeBytes < SMALL_PACK_BYTES);
  const wasteful = used.filter(
    ([, { sizeBytes, live, liveBytes }]) =>
      sizeBytes >= SMALL_PACK_BYTES && liveBytes + live * DIRECTORY_BYTES < sizeBytes * LEAST_LIVE,
  );
  const chosen: string[] = [];
  let [bytes, contents] = [0, 0];
  for (const [id, { live, liveBytes }] of [...wasteful, ...(small.length > MAX_SMALL_PACKS ? small : [])]) {
    bytes += liveBytes;
    contents += live;
    if (bytes > MAX_BYTES || contents > MAX_CONTENTS) break;
    chosen.push(id);
  }
  return chosen;
}

/** What to copy. */
export interface RewriteOptions {
  readonly signal: AbortSignal;
  /** Ids of the packs to copy from. */
  readonly packs: readonly string[];
  /** What packages need. */
  readonly live: ContentSet;
}

/** Copies what is needed out of the packs, and takes them out of matching. What can't be read stays where it is. */
export async function rewritePacks(pool: Pool, options: RewriteOptions): Promise<void> {
  const { store, tenant } = pool;
  const { packs, signal } = options;
  const inPlace = await pool.query({ signal }, (snapshot) => needed(store, snapshot, options));
  const stored = await writePacks({ store, tenant, signal }, copies(inPlace, pool.reader({ signal })));
  if (stored.resources.length === 0) return;
  const atMs = Math.floor(await store.now({ signal }));
  await writeSegment({ store, tenant, signal }, columnsOf(stored.resources, stored.packs), {
    packs: [...stored.packs],
    condemned: packs.map((id) => ({ id, atMs })),
  });
}

/** Where the needed contents are that the packs serve. */
async function needed(
  store: BlobStore,
  snapshot: Snapshot,
  { packs, live, signal }: RewriteOptions,
): Promise<readonly LocatedResource[]> {
  const old = new Set(packs);
  const wanted: Fingerprint[] = [];
  for await (const { content, pack } of servedContents({ store, signal }, snapshot)) {
    const sha1 = parseSha1(content.toString('hex', 0, 20));
    if (sha1 !== undefined && old.has(pack) && live.has(content))
      wanted.push({ sha1, sizeBytes: sizeOfContent(content) });
  }
  const located = await locate({ store, signal }, snapshot, wanted);
  return located.filter((resource) => resource !== undefined).sort(byPlace);
}

/** As they lie, so that packs are read in large pieces. */
const byPlace = (a: LocatedResource, b: LocatedResource): number =>
  a.pack === b.pack ? a.offset - b.offset : a.pack < b.pack ? -1 : 1;

async function* copies(
  resources: readonly LocatedResource[],
  reader: PackReader,
): AsyncGenerator<NewResource, void, void> {
  for (const resource of resources) {
    const bytes = await contentOf(resource, reader);
    if (bytes === undefined) continue;
    const { sha1, sha256, sizeBytes } = resource;
    yield { sha1, sha256, sizeBytes, path: `the resource ${sha1}`, open: async () => [bytes] };
  }
}

/** The content, which is small: large ones have packs of their own. Undefined when it is damaged or gone. */
async function contentOf(resource: LocatedResource, reader: PackReader): Promise<Buffer | undefined> {
  try {
    return await buffer(reader.open(resource));
  } catch (error) {
    if (isStagerError(error, 'BLOB_CORRUPT', 'RESOURCE_MISSING')) return undefined;
    throw error;
  }
}
