/** Queries on routes and where they lead. No traffic passes here: a route is what a manifest and the client say of it. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { isTaken } from '../state/failures.ts';
import {
  anyNameOf,
  anyOf,
  type CommonFilters,
  commonConditions,
  inOrganizations,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { RouteDestinationsTable, RoutesTable } from '../state/schema-platform.ts';

/** A route with the name of its domain. */
export type Route = Row<RoutesTable> & { readonly domain_name: string };
export type Destination = Row<RouteDestinationsTable>;

export interface RouteFilters extends CommonFilters {
  readonly app_guids?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  readonly domain_guids?: readonly string[] | undefined;
  readonly hosts?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly ports?: readonly string[] | undefined;
  /** Routes that are bound to one of these services: none is. */
  readonly service_instance_guids?: readonly string[] | undefined;
}

export interface RouteFields {
  readonly space: Guid;
  readonly domain: Guid;
  readonly host: string;
  readonly path: string;
  readonly port?: number | null | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export async function listRoutes(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: RouteFilters; readonly paging: Paging },
): Promise<Page<Route>> {
  const { app_guids, organization_guids, ...columns } = by.filters;
  let query = visible(queries, caller).where(commonConditions('routes', by.filters));
  if (columns.space_guids !== undefined) query = query.where(anyOf('routes.space_guid', columns.space_guids));
  if (columns.domain_guids !== undefined)
    query = query.where(anyOf('routes.domain_guid', columns.domain_guids));
  if (columns.hosts !== undefined) query = query.where(anyNameOf('routes.host', columns.hosts));
  if (columns.paths !== undefined) query = query.where(anyOf('routes.path', columns.paths));
  if (columns.ports !== undefined) {
    query = query.where(sql<boolean>`routes.port::text = any(${[...columns.ports]}::text[])`);
  }
  if (columns.service_instance_guids !== undefined) query = query.where(sql<boolean>`false`);
  if (app_guids !== undefined) {
    query = query.where('routes.guid', 'in', (eb) =>
      eb
        .selectFrom('route_destinations')
        .select('route_guid')
        .where(anyOf('route_destinations.app_guid', app_guids)),
    );
  }
  if (organization_guids !== undefined) {
    query = query.where(inOrganizations('routes.space_guid', organization_guids));
  }
  return await pageOf(queries, query, { table: 'routes', paging: by.paging });
}

export async function findRoute(queries: Queries, caller: Caller, guid: Guid): Promise<Route | undefined> {
  return await visible(queries, caller).where('routes.guid', '=', guid).executeTakeFirst();
}

/** The route of this address, whoever it belongs to. */
export async function routeAt(
  queries: Queries,
  { domain, host, path, port = null }: Pick<RouteFields, 'domain' | 'host' | 'path' | 'port'>,
): Promise<Row<RoutesTable> | undefined> {
  return await queries
    .selectFrom('routes')
    .selectAll()
    .where('domain_guid', '=', domain)
    .where(sql<boolean>`lower(host) = lower(${host})`)
    .where('path', '=', path)
    .where(sql<boolean>`port is not distinct from ${port}::integer`)
    .executeTakeFirst();
}

/** @returns undefined when the address is taken. */
export async function createRoute(queries: Queries, fields: RouteFields): Promise<Guid | undefined> {
  const guid = newGuid();
  try {
    await queries
      .insertInto('routes')
      .values({
        guid,
        space_guid: fields.space,
        domain_guid: fields.domain,
        host: fields.host,
        path: fields.path,
        port: fields.port ?? null,
        options: json(fields.options ?? {}),
        ...newMetadata(fields.metadata),
      })
      .execute();
    return guid;
  } catch (error) {
    if (isTaken(error, 'routes_address')) return undefined;
    throw error;
  }
}

export async function updateRoute(
  queries: Queries,
  guid: Guid,
  fields: Pick<RouteFields, 'options' | 'metadata'>,
): Promise<void> {
  await queries
    .updateTable('routes')
    .set({
      ...mergedMetadata(fields.metadata),
      ...(fields.options !== undefined && { options: json(fields.options) }),
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .execute();
}

export async function deleteRoute(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('routes').where('guid', '=', guid).execute();
}

/** Those of a space that lead nowhere. */
export async function deleteUnmappedRoutes(queries: Queries, space: Guid): Promise<void> {
  await queries
    .deleteFrom('routes')
    .where('space_guid', '=', space)
    .where('guid', 'not in', (eb) => eb.selectFrom('route_destinations').select('route_guid'))
    .execute();
}

/** route → where it leads, in the order of their making. */
export async function destinationsOf(
  queries: Queries,
  routes: readonly string[],
): Promise<ReadonlyMap<string, readonly Destination[]>> {
  if (routes.length === 0) return new Map();
  const rows = await queries
    .selectFrom('route_destinations')
    .selectAll()
    .where(anyOf('route_guid', routes))
    .orderBy('id')
    .execute();
  return Map.groupBy(rows, ({ route_guid }) => route_guid);
}

/** A destination that is there already stays as it is. */
export async function addDestination(
  queries: Queries,
  route: Guid,
  to: { readonly app: Guid; readonly processType: string; readonly port?: number | null },
): Promise<void> {
  const { app, processType, port = null } = to;
  const there = await queries
    .selectFrom('route_destinations')
    .select('guid')
    .where('route_guid', '=', route)
    .where('app_guid', '=', app)
    .where('process_type', '=', processType)
    .where(sql<boolean>`port is not distinct from ${port}::integer`)
    .executeTakeFirst();
  if (there !== undefined) return;
  await queries
    .insertInto('route_destinations')
    .values({ guid: newGuid(), route_guid: route, app_guid: app, process_type: processType, port })
    .execute();
}

/** @param by all destinations, one of them, or those of an app. */
export async function removeDestinations(
  queries: Queries,
  route: Guid,
  by: { readonly guid?: Guid; readonly app?: Guid } = {},
): Promise<void> {
  let query = queries.deleteFrom('route_destinations').where('route_guid', '=', route);
  if (by.guid !== undefined) query = query.where('guid', '=', by.guid);
  if (by.app !== undefined) query = query.where('app_guid', '=', by.app);
  await query.execute();
}

function visible(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('routes')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .selectAll('routes')
    .select('domains.name as domain_name')
    .where(inVisibleSpace(caller, 'routes.space_guid'));
}
