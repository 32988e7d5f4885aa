/** Removing packages, droplets, caches: bytes first, then the row, so that a repeated job finds what is left. */
import { dropletKey } from '../../staging/droplet/store.ts';
import { packageKey } from '../../staging/package/listing.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

export interface RemoveParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
}

/** Bytes that a copy uses as well stay. */
export async function deletePackage(guid: Guid, { queries, blobs, signal }: RemoveParts): Promise<void> {
  const row = await queries
    .selectFrom('packages')
    .select('content_guid')
    .where('guid', '=', guid)
    .executeTakeFirst();
  const content = row?.content_guid ?? undefined;
  if (content !== undefined) {
    const others = await queries
      .selectFrom('packages')
      .select('guid')
      .where('content_guid', '=', content)
      .where('guid', '<>', guid)
      .limit(1)
      .executeTakeFirst();
    if (others === undefined) await blobs.delete(packageKey(content), { signal });
  }
  await queries.deleteFrom('packages').where('guid', '=', guid).execute();
}

/** As {@link deletePackage}. The app that uses it has none then. */
export async function deleteDroplet(guid: Guid, { queries, blobs, signal }: RemoveParts): Promise<void> {
  const row = await queries
    .selectFrom('droplets')
    .select('content_key')
    .where('guid', '=', guid)
    .executeTakeFirst();
  const content = row?.content_key ?? undefined;
  if (content !== undefined) {
    const others = await queries
      .selectFrom('droplets')
      .select('guid')
      .where('content_key', '=', content)
      .where('guid', '<>', guid)
      .limit(1)
      .executeTakeFirst();
    if (others === undefined) await blobs.delete({ kind: 'droplets', name: content }, { signal });
  }
  await queries.deleteFrom('droplets').where('guid', '=', guid).execute();
}

/** The build caches of an app, or of all. */
export async function deleteCaches(
  app: Guid | undefined,
  { blobs, signal }: Pick<RemoveParts, 'blobs' | 'signal'>,
): Promise<void> {
  const prefix = app === undefined ? {} : { prefix: `${app}/` };
  for await (const { key } of blobs.names('buildpack_cache', { signal, ...prefix })) {
    await blobs.delete(key, { signal });
  }
}

/** Everything that was staged for an app, without the row of the app. What belongs to no row goes as well. */
export async function deleteStagedOf(app: Guid, parts: RemoveParts): Promise<void> {
  const { queries, blobs, signal } = parts;
  const packages = await queries.selectFrom('packages').select('guid').where('app_guid', '=', app).execute();
  for (const { guid } of packages) await deletePackage(guid, parts);
  const droplets = await queries.selectFrom('droplets').select('guid').where('app_guid', '=', app).execute();
  for (const { guid } of droplets) await deleteDroplet(guid, parts);
  // A build that died between storing its droplet and saying so.
  const { name: prefix } = dropletKey(app, app);
  for await (const { key } of blobs.names('droplets', { signal, prefix: prefix.slice(0, app.length + 1) })) {
    const copy = await queries
      .selectFrom('droplets')
      .select('guid')
      .where('content_key', '=', key.name)
      .limit(1)
      .executeTakeFirst();
    if (copy === undefined) await blobs.delete(key, { signal });
  }
  await queries.deleteFrom('builds').where('app_guid', '=', app).execute();
  await deleteCaches(app, parts);
}
