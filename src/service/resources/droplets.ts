/** Queries on droplets. Reading functions leave out what the caller does not see. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { anyOf, type Page, type Paging, pageOf } from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { DropletState, DropletsTable } from '../state/schema-apps.ts';
import { type OfAppFilters, ofVisibleApps } from './of-apps.ts';

/** With the space of its app. */
export type Droplet = Row<DropletsTable> & { readonly space_guid: Guid };

export interface DropletFilters extends OfAppFilters {
  readonly package_guids?: readonly string[] | undefined;
  /** Only the one that its app uses. */
  readonly current?: boolean | undefined;
}

export async function listDroplets(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: DropletFilters; readonly paging: Paging },
): Promise<Page<Droplet>> {
  const { package_guids, current } = by.filters;
  let query = visible(queries, caller, by.filters);
  if (package_guids !== undefined) query = query.where(anyOf('droplets.package_guid', package_guids));
  if (current === true) query = query.whereRef('apps.current_droplet_guid', '=', 'droplets.guid');
  return await pageOf(queries, query, { table: 'droplets', paging: by.paging });
}

export async function findDroplet(
  queries: Queries,
  caller: Caller,
  guid: Guid,
): Promise<Droplet | undefined> {
  return await visible(queries, caller, {}).where('droplets.guid', '=', guid).executeTakeFirst();
}

function visible(queries: Queries, caller: Caller, filters: OfAppFilters) {
  return queries
    .selectFrom('droplets')
    .innerJoin('apps', 'apps.guid', 'droplets.app_guid')
    .selectAll('droplets')
    .select('apps.space_guid')
    .where(ofVisibleApps('droplets', caller, filters));
}

/** One that will be uploaded. @returns its guid. */
export async function createDropletRow(
  queries: Queries,
  fields: {
    readonly app: Guid;
    readonly processTypes: Readonly<Record<string, string>>;
    readonly metadata?: MetadataPatch | undefined;
  },
): Promise<Guid> {
  const guid = newGuid();
  await queries
    .insertInto('droplets')
    .values({
      guid,
      app_guid: fields.app,
      state: 'AWAITING_UPLOAD',
      lifecycle_type: 'buildpack',
      process_types: json(fields.processTypes),
      ...newMetadata(fields.metadata),
    })
    .execute();
  return guid;
}

/** A copy for another app: a row of its own, the same bytes. @returns its guid. */
export async function copyDropletRow(queries: Queries, source: Droplet, app: Guid): Promise<Guid> {
  const guid = newGuid();
  await queries
    .insertInto('droplets')
    .values({
      guid,
      app_guid: app,
      state: 'STAGED',
      lifecycle_type: source.lifecycle_type,
      lifecycle_data: json(source.lifecycle_data),
      stack: source.stack,
      image: source.image,
      buildpacks: json(source.buildpacks),
      process_types: json(source.process_types),
      sidecars: json(source.sidecars),
      execution_metadata: source.execution_metadata,
      sha1: source.sha1,
      sha256: source.sha256,
      size_in_bytes: source.size_in_bytes,
      content_key: source.content_key,
    })
    .execute();
  return guid;
}

export async function patchDroplet(
  queries: Queries,
  guid: Guid,
  change: {
    readonly image?: string | undefined;
    readonly process_types?: Readonly<Record<string, string>> | undefined;
    readonly metadata?: MetadataPatch | undefined;
  },
): Promise<void> {
  const { image, process_types, metadata } = change;
  await queries
    .updateTable('droplets')
    .set({
      ...(image !== undefined && { image }),
      ...(process_types !== undefined && { process_types: json(process_types) }),
      ...mergedMetadata(metadata),
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .execute();
}

/** @returns false when it was not in the state `from` any more. */
export async function moveDroplet(
  queries: Queries,
  guid: Guid,
  change: {
    readonly from: DropletState;
    readonly to: DropletState;
    readonly error?: string;
    readonly content?: Pick<Droplet, 'content_key' | 'sha1' | 'sha256' | 'size_in_bytes'>;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('droplets')
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
