/** What a tenant's index consists of now. */
import pLimit from 'p-limit';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { GaveUp, type RetryPolicy, withRetry } from '../../words/retry.ts';
import { indexPrefix, POOL_ID, segmentKey } from './layout.ts';
import { openSegment, type Segment, type StoreAccess } from './segment.ts';

/** Segments that count, and what they say of packs. */
export interface Snapshot {
  readonly segments: readonly Segment[];
  /** Ids of segments that a newer one contains; their blobs can be deleted. */
  readonly replaced: readonly string[];
  /** Pack id → since when it is gone, milliseconds since the epoch. */
  readonly dropped: ReadonlyMap<string, number>;
  /** Pack id → since when it no longer matches, milliseconds since the epoch. */
  readonly condemned: ReadonlyMap<string, number>;
}

/** Merges that may come in between one reading, or one query; a pause is between two tries. */
export const RACES = {
  attempts: 20,
  baseMs: 10,
  capMs: 500,
  deadlineMs: 30_000,
} as const satisfies RetryPolicy;
const PARALLEL = 8;

/**
 * One listing, and one request for the tail of each segment: compaction keeps their number constant. When a segment
 * vanishes meanwhile, a compaction replaced it, and the listing is read again.
 */
export async function readSnapshot(io: StoreAccess, tenant: string): Promise<Snapshot> {
  const { signal } = io;
  const isTransient = (error: unknown): boolean => isStagerError(error, 'BLOB_NOT_FOUND');
  try {
    return await withRetry(() => tryReadSnapshot(io, tenant), { policy: RACES, signal, isTransient });
  } catch (error) {
    if (!(error instanceof GaveUp)) throw error;
    throw isTransient(error.cause) ? contradictory(error) : error.cause;
  }
}

/** Somebody's merge takes moments: what is listed and not there for longer is the store's contradiction. */
function contradictory({ cause, attempts }: GaveUp): StagerError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `the store lists a part of the index of the resource cache but does not return it: ${what} (looked ${attempts} times)`,
    { next: 'Check the store; `stager blobs repair` rebuilds the index.', cause },
  );
}

async function tryReadSnapshot(io: StoreAccess, tenant: string): Promise<Snapshot> {
  const prefix = indexPrefix(tenant);
  const limit = pLimit(PARALLEL);
  const opening: Promise<Segment>[] = [];
  for await (const { key, sizeBytes } of io.store.names('resources', { signal: io.signal, prefix })) {
    const id = key.name.slice(prefix.length);
    if (!POOL_ID.test(id)) continue;
    const segment = limit(() => openSegment(io, { id, key: segmentKey(tenant, id), sizeBytes }));
    segment.catch(() => undefined);
    opening.push(segment);
  }
  const all = await Promise.all(opening);
  const present = new Set(all.map(({ id }) => id));
  const gone = new Set(all.flatMap(({ meta }) => meta.replaces));
  const dropped = oldest(all.flatMap(({ meta }) => meta.dropped));
  const condemned = oldest(all.flatMap(({ meta }) => meta.condemned));
  return {
    segments: all.filter(({ id }) => !gone.has(id)),
    replaced: [...gone].filter((id) => present.has(id)),
    dropped,
    condemned,
  };
}

/** The oldest word on a pack counts: it is the one that no later match has ignored. */
function oldest(words: readonly { readonly id: string; readonly atMs: number }[]): Map<string, number> {
  const result = new Map<string, number>();
  for (const { id, atMs } of words) result.set(id, Math.min(atMs, result.get(id) ?? atMs));
  return result;
}
