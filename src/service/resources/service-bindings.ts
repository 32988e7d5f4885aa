/** Queries on bindings of service instances to apps. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import type { Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { isTaken } from '../state/failures.ts';
import {
  anyOf,
  type CommonFilters,
  commonConditions,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { ServiceCredentialBindingsTable } from '../state/schema-platform.ts';

/** With the space of its instance. */
export type ServiceBindingRow = Row<ServiceCredentialBindingsTable> & { readonly space_guid: Guid };

export interface ServiceBindingFilters extends CommonFilters {
  readonly type?: 'app' | 'key' | undefined;
  readonly names?: readonly string[] | undefined;
  readonly app_guids?: readonly string[] | undefined;
  readonly app_names?: readonly string[] | undefined;
  readonly service_instance_guids?: readonly string[] | undefined;
  readonly service_instance_names?: readonly string[] | undefined;
  /** Those of a plan or an offering: none, since users provide all instances. */
  readonly service_plan_guids?: readonly string[] | undefined;
  readonly service_plan_names?: readonly string[] | undefined;
  readonly service_offering_guids?: readonly string[] | undefined;
  readonly service_offering_names?: readonly string[] | undefined;
}

const OF_BROKERS = [
  'service_plan_guids',
  'service_plan_names',
  'service_offering_guids',
  'service_offering_names',
] as const;

export async function listServiceBindings(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: ServiceBindingFilters; readonly paging: Paging },
): Promise<Page<ServiceBindingRow>> {
  const { type, names, app_guids, app_names, service_instance_guids, service_instance_names } = by.filters;
  const table = 'service_credential_bindings';
  let query = visible(queries, caller).where(commonConditions(table, by.filters));
  if (OF_BROKERS.some((name) => by.filters[name] !== undefined)) query = query.where(sql<boolean>`false`);
  if (type !== undefined) query = query.where('service_credential_bindings.type', '=', type);
  if (names !== undefined) query = query.where(anyOf(`${table}.name`, names));
  if (app_guids !== undefined) query = query.where(anyOf(`${table}.app_guid`, app_guids));
  if (service_instance_guids !== undefined) {
    query = query.where(anyOf(`${table}.service_instance_guid`, service_instance_guids));
  }
  if (service_instance_names !== undefined) {
    query = query.where(anyOf('service_instances.name', service_instance_names));
  }
  if (app_names !== undefined) {
    query = query.where('service_credential_bindings.app_guid', 'in', (eb) =>
      eb.selectFrom('apps').select('apps.guid').where(anyOf('apps.name', app_names)),
    );
  }
  return await pageOf(queries, query, { table, paging: by.paging });
}

export async function findServiceBinding(
  queries: Queries,
  caller: Caller,
  guid: Guid,
): Promise<ServiceBindingRow | undefined> {
  return await visible(queries, caller)
    .where('service_credential_bindings.guid', '=', guid)
    .executeTakeFirst();
}

/** @returns undefined when the app has one to this instance already. */
export async function bindToApp(
  queries: Queries,
  binding: {
    readonly instance: Guid;
    readonly app: Guid;
    readonly name?: string | null | undefined;
    readonly metadata?: MetadataPatch | undefined;
  },
): Promise<Guid | undefined> {
  const guid = newGuid();
  try {
    await queries
      .insertInto('service_credential_bindings')
      .values({
        guid,
        type: 'app',
        name: binding.name ?? null,
        service_instance_guid: binding.instance,
        app_guid: binding.app,
        ...newMetadata(binding.metadata),
      })
      .execute();
    return guid;
  } catch (error) {
    if (isTaken(error, 'service_credential_bindings_app')) return undefined;
    throw error;
  }
}

export async function labelServiceBinding(
  queries: Queries,
  guid: Guid,
  metadata: MetadataPatch | undefined,
): Promise<void> {
  await queries
    .updateTable('service_credential_bindings')
    .set({ ...mergedMetadata(metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}

export async function unbind(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('service_credential_bindings').where('guid', '=', guid).execute();
}

function visible(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('service_credential_bindings')
    .innerJoin(
      'service_instances',
      'service_instances.guid',
      'service_credential_bindings.service_instance_guid',
    )
    .selectAll('service_credential_bindings')
    .select('service_instances.space_guid')
    .where(inVisibleSpace(caller, 'service_instances.space_guid'));
}
