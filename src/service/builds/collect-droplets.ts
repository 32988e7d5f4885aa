/**
 * Deletes blobs of droplets that no row names: what a worker stored that lost its build or died before the row was
 * written. Only what is older than any staging can be: a younger one may get its row yet.
 */
import type { BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { Queries } from '../state/database.ts';

export interface CollectParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly minAgeMs: number;
  readonly signal: AbortSignal;
}

/** Names asked for at once. */
const BATCH = 500;

/** @returns how many were deleted. */
export async function collectDroplets(parts: CollectParts): Promise<number> {
  const { blobs, minAgeMs, signal } = parts;
  const now = await blobs.now({ signal });
  let deleted = 0;
  let batch: BlobKey[] = [];
  for await (const { key, modifiedAtMs } of blobs.list('droplets', { signal })) {
    if (now - modifiedAtMs < minAgeMs) continue;
    batch.push(key);
    if (batch.length < BATCH) continue;
    deleted += await deleteUnnamed(batch, parts);
    batch = [];
  }
  return deleted + (await deleteUnnamed(batch, parts));
}

async function deleteUnnamed(
  keys: readonly BlobKey[],
  { queries, blobs, signal }: CollectParts,
): Promise<number> {
  if (keys.length === 0) return 0;
  const names = keys.map(({ name }) => name);
  const rows = await queries
    .selectFrom('droplets')
    .select('content_key')
    .where('content_key', 'in', names)
    .execute();
  const named = new Set(rows.map(({ content_key }) => content_key));
  const unnamed = keys.filter(({ name }) => !named.has(name));
  for (const key of unnamed) await blobs.delete(key, { signal });
  return unnamed.length;
}
