/** Deletes the droplet of a worker that finds at the end that its build now belongs to another. */
import type { Queries } from '../state/database.ts';
import type { StagingMeans } from './means.ts';
import type { NewDroplet } from './stage-parts.ts';

/** Milliseconds. */
const DELETE_MS = 30_000;

/**
 * Deletes it, unless a row has it: the answer to the one that was written may have been lost. What can't be deleted now,
 * the collection of garbage finds later.
 */
export async function discardLostDroplet(
  { queries, means }: { readonly queries: Queries; readonly means: StagingMeans },
  { content_key: name }: Pick<NewDroplet, 'content_key'>,
): Promise<void> {
  if (name == null) return;
  const row = await queries
    .selectFrom('droplets')
    .select('guid')
    .where('content_key', '=', name)
    .executeTakeFirst();
  if (row !== undefined) return;
  const blobs = await means.blobs();
  await blobs
    .delete({ kind: 'droplets', name }, { signal: AbortSignal.timeout(DELETE_MS) })
    .catch(() => undefined);
}
