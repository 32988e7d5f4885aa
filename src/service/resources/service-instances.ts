/** Queries on service instances that users provide, and their bindings to apps. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import {
  anyOf,
  type CommonFilters,
  commonConditions,
  inOrganizations,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { ServiceInstancesTable } from '../state/schema-platform.ts';

export type ServiceInstance = Row<ServiceInstancesTable>;

export interface ServiceInstanceFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  readonly type?: 'managed' | 'user-provided' | undefined;
  /** Those of a plan: none, since users provide all of them. */
  readonly service_plan_guids?: readonly string[] | undefined;
  readonly service_plan_names?: readonly string[] | undefined;
}

export interface ServiceInstanceFields {
  readonly name?: string | undefined;
  readonly credentials?: Readonly<Record<string, unknown>> | null | undefined;
  readonly syslog_drain_url?: string | null | undefined;
  readonly route_service_url?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export async function listServiceInstances(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: ServiceInstanceFilters; readonly paging: Paging },
): Promise<Page<ServiceInstance>> {
  const { names, space_guids, organization_guids, type } = by.filters;
  let query = queries
    .selectFrom('service_instances')
    .selectAll()
    .where(inVisibleSpace(caller, 'service_instances.space_guid'))
    .where(commonConditions('service_instances', by.filters));
  const ofPlans = by.filters.service_plan_guids ?? by.filters.service_plan_names;
  if (type === 'managed' || ofPlans !== undefined) query = query.where(sql<boolean>`false`);
  if (names !== undefined) query = query.where(anyOf('service_instances.name', names));
  if (space_guids !== undefined) query = query.where(anyOf('service_instances.space_guid', space_guids));
  if (organization_guids !== undefined) {
    query = query.where(inOrganizations('service_instances.space_guid', organization_guids));
  }
  return await pageOf(queries, query, { table: 'service_instances', paging: by.paging });
}

export async function findServiceInstance(
  queries: Queries,
  caller: Caller,
  guid: Guid,
): Promise<ServiceInstance | undefined> {
  return await queries
    .selectFrom('service_instances')
    .selectAll()
    .where('guid', '=', guid)
    .where(inVisibleSpace(caller, 'service_instances.space_guid'))
    .executeTakeFirst();
}

/** @returns undefined when the name is taken in the space. */
export async function createServiceInstance(
  queries: Queries,
  space: Guid,
  fields: ServiceInstanceFields & { readonly name: string },
): Promise<ServiceInstance | undefined> {
  const { name, credentials, syslog_drain_url, route_service_url, tags = [], metadata } = fields;
  return await unlessTaken(
    'service_instances_name',
    queries
      .insertInto('service_instances')
      .values({
        guid: newGuid(),
        space_guid: space,
        name,
        credentials: json(credentials ?? {}),
        syslog_drain_url: syslog_drain_url ?? null,
        route_service_url: route_service_url ?? null,
        tags: json(tags),
        ...newMetadata(metadata),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** @returns undefined when the name is taken in the space. */
export async function updateServiceInstance(
  queries: Queries,
  guid: Guid,
  fields: ServiceInstanceFields,
): Promise<ServiceInstance | undefined> {
  const { name, credentials, syslog_drain_url, route_service_url, tags, metadata } = fields;
  return await unlessTaken(
    'service_instances_name',
    queries
      .updateTable('service_instances')
      .set({
        ...(name !== undefined && { name }),
        ...(credentials !== undefined && { credentials: json(credentials ?? {}) }),
        ...(syslog_drain_url !== undefined && { syslog_drain_url }),
        ...(route_service_url !== undefined && { route_service_url }),
        ...(tags !== undefined && { tags: json(tags) }),
        ...mergedMetadata(metadata),
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** With its bindings, as Cloud Controller does for what users provide. */
export async function deleteServiceInstance(queries: Queries, guid: Guid): Promise<void> {
  await queries.transaction().execute(async (transaction) => {
    await transaction
      .deleteFrom('service_credential_bindings')
      .where('service_instance_guid', '=', guid)
      .execute();
    await transaction.deleteFrom('service_instances').where('guid', '=', guid).execute();
  });
}
