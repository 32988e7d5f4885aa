/** Queries on packages. Reading functions leave out what the caller does not see. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { anyOf, type Page, type Paging, pageOf } from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { PackageState, PackagesTable } from '../state/schema-apps.ts';
import type { DockerImage } from './docker-packages.ts';
import { type OfAppFilters, ofVisibleApps } from './of-apps.ts';

/** With the space of its app. */
export type Package = Row<PackagesTable> & { readonly space_guid: Guid };

export interface PackageFilters extends OfAppFilters {
  readonly types?: readonly string[] | undefined;
}

export async function listPackages(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: PackageFilters; readonly paging: Paging },
): Promise<Page<Package>> {
  let query = visible(queries, caller, by.filters);
  if (by.filters.types !== undefined) query = query.where(anyOf('packages.type', by.filters.types));
  return await pageOf(queries, query, { table: 'packages', paging: by.paging });
}

export async function findPackage(
  queries: Queries,
  caller: Caller,
  guid: Guid,
): Promise<Package | undefined> {
  return await visible(queries, caller, {}).where('packages.guid', '=', guid).executeTakeFirst();
}

/** The newest package of an app that a droplet can be made of, whoever asks. */
export async function newestReadyPackage(queries: Queries, app: Guid): Promise<Guid | undefined> {
  const found = await queries
    .selectFrom('packages')
    .select('guid')
    .where('app_guid', '=', app)
    .where('state', '=', 'READY')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return found?.guid;
}

function visible(queries: Queries, caller: Caller, filters: OfAppFilters) {
  return queries
    .selectFrom('packages')
    .innerJoin('apps', 'apps.guid', 'packages.app_guid')
    .selectAll('packages')
    .select('apps.space_guid')
    .where(ofVisibleApps('packages', caller, filters));
}

/** What a new one has. Content only when it is a copy. */
export interface NewPackage {
  readonly app: Guid;
  readonly state: PackageState;
  readonly content?: Pick<Package, 'content_guid' | 'sha256' | 'size_in_bytes'>;
  /** Of type docker then. */
  readonly image?: DockerImage | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

/** @returns its guid. */
export async function createPackageRow(queries: Queries, fields: NewPackage): Promise<Guid> {
  const guid = newGuid();
  const { app, state, content, image, metadata } = fields;
  await queries
    .insertInto('packages')
    .values({
      guid,
      app_guid: app,
      state,
      content_guid: content?.content_guid ?? null,
      sha256: content?.sha256 ?? null,
      size_in_bytes: content?.size_in_bytes ?? null,
      ...(image !== undefined && { type: 'docker' as const, data: json(image) }),
      ...newMetadata(metadata),
    })
    .execute();
  return guid;
}

export async function labelPackage(queries: Queries, guid: Guid, metadata?: MetadataPatch): Promise<void> {
  await queries
    .updateTable('packages')
    .set({ ...mergedMetadata(metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

/** @returns false when it was not in the state `from` any more. */
export async function movePackage(
  queries: Queries,
  guid: Guid,
  change: {
    readonly from: PackageState;
    readonly to: PackageState;
    readonly error?: string;
    readonly content?: Pick<Package, 'content_guid' | 'sha256' | 'size_in_bytes' | 'sent_in_bytes'>;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('packages')
    .set({
      state: change.to,
      ...(change.error !== undefined && { error: change.error }),
      ...change.content,
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .where('state', '=', change.from)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Spaces whose stored bytes a caller may match: those it develops in, the last used ones first. */
export async function matchableSpaces(
  queries: Queries,
  caller: Caller,
  { everywhere, most }: { readonly everywhere: boolean; readonly most: number },
): Promise<readonly Guid[]> {
  let query = queries
    .selectFrom('packages')
    .innerJoin('apps', 'apps.guid', 'packages.app_guid')
    .where('packages.content_guid', 'is not', null)
    .select('apps.space_guid')
    .groupBy('apps.space_guid')
    .orderBy(sql`max(packages.id)`, 'desc')
    .limit(most);
  if (!everywhere) {
    query = query.where('apps.space_guid', 'in', (eb) =>
      eb
        .selectFrom('roles')
        .where('user_guid', '=', caller.guid)
        .where('type', '=', 'space_developer')
        .where('space_guid', 'is not', null)
        .$castTo<{ space_guid: Guid }>()
        .select('space_guid'),
    );
  }
  return (await query.execute()).map(({ space_guid }) => space_guid);
}
