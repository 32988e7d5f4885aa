/**
 * What an app keeps of what was staged for it: its newest packages and droplets, the droplet that it uses and that one's
 * package, and what a build reads. The rest is EXPIRED, as with Cloud Controller: the row stays, the bytes go.
 */
import { sql } from 'kysely';
import { packageKey } from '../../staging/package/listing.ts';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

/** How much is kept, for each app; 0 keeps all. */
export interface Retention {
  readonly droplets: number;
  readonly packages: number;
  /** Milliseconds that the log of a build can be read. */
  readonly logMs: number;
}

export interface ExpireParts {
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
}

/** How many were let go. */
export interface Expired extends Readonly<Record<string, number>> {
  readonly droplets: number;
  readonly packages: number;
}

/** First the state, then the bytes: what is killed between is finished by the next call. @param app all without. */
export async function expireStaged(
  { droplets, packages }: Retention,
  parts: ExpireParts,
  app?: Guid,
): Promise<Expired> {
  const { queries } = parts;
  const expired = {
    droplets: droplets > 0 ? await expireDroplets(queries, droplets, app) : 0,
    packages: packages > 0 ? await expirePackages(queries, packages, app) : 0,
  };
  await removeBytes(parts);
  return expired;
}

async function expireDroplets(queries: Queries, keep: number, app: Guid | undefined): Promise<number> {
  const { numAffectedRows = 0n } =
    await sql`update droplets set state = 'EXPIRED', updated_at = now() where guid in (
    select guid from (
      select droplets.guid, row_number() over (partition by droplets.app_guid order by droplets.id desc) as place
      from droplets join apps on apps.guid = droplets.app_guid
      where droplets.state = 'STAGED' and ${ofApp('droplets', app)}
        and droplets.guid is distinct from apps.current_droplet_guid) as ranked
    where place > ${keep})`.execute(queries);
  return Number(numAffectedRows);
}

async function expirePackages(queries: Queries, keep: number, app: Guid | undefined): Promise<number> {
  const { numAffectedRows = 0n } =
    await sql`update packages set state = 'EXPIRED', updated_at = now() where guid in (
    select guid from (
      select packages.guid, row_number() over (partition by packages.app_guid order by packages.id desc) as place
      from packages join apps on apps.guid = packages.app_guid
      where packages.state = 'READY' and ${ofApp('packages', app)}
        and not exists (select 1 from droplets
          where droplets.guid = apps.current_droplet_guid and droplets.package_guid = packages.guid)
        and not exists (select 1 from builds
          where builds.package_guid = packages.guid and builds.state = 'STAGING')) as ranked
    where place > ${keep})`.execute(queries);
  return Number(numAffectedRows);
}

function ofApp(table: 'droplets' | 'packages', app: Guid | undefined) {
  return app === undefined ? sql<boolean>`true` : sql<boolean>`${sql.ref(`${table}.app_guid`)} = ${app}`;
}

/** Bytes that a copy uses as well stay. */
async function removeBytes({ queries, blobs, signal }: ExpireParts): Promise<void> {
  for (const { guid, content } of await expired(queries, 'droplets', 'content_key')) {
    if (!(await isShared(queries, { table: 'droplets', column: 'content_key', content })))
      await blobs.delete({ kind: 'droplets', name: content }, { signal });
    await queries.updateTable('droplets').set({ content_key: null }).where('guid', '=', guid).execute();
  }
  for (const { guid, content } of await expired(queries, 'packages', 'content_guid')) {
    const name = parseGuid(content);
    if (
      name !== undefined &&
      !(await isShared(queries, { table: 'packages', column: 'content_guid', content }))
    )
      await blobs.delete(packageKey(name), { signal });
    await queries.updateTable('packages').set({ content_guid: null }).where('guid', '=', guid).execute();
  }
}

async function expired(queries: Queries, table: 'droplets' | 'packages', column: string) {
  const { rows } = await sql<{ guid: Guid; content: string }>`
    select guid, ${sql.ref(column)} as content from ${sql.table(table)}
    where state = 'EXPIRED' and ${sql.ref(column)} is not null`.execute(queries);
  return rows;
}

/** By one that is not expired. */
async function isShared(
  queries: Queries,
  { table, column, content }: { readonly table: string; readonly column: string; readonly content: string },
): Promise<boolean> {
  const { rows } = await sql`select 1 from ${sql.table(table)}
    where ${sql.ref(column)} = ${content} and state <> 'EXPIRED' limit 1`.execute(queries);
  return rows.length > 0;
}
