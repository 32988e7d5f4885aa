/** Queries on processes: how an app would run. Nothing runs here, so they hold what was asked for. */
import { sql } from 'kysely';
import { PROCESS_LIMITS } from '../../config/limits.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import {
  anyOf,
  type CommonFilters,
  commonConditions,
  inOrganizations,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata } from '../state/metadata.ts';
import type { HealthCheckColumn, ProcessesTable, SidecarsTable } from '../state/schema-apps.ts';

export type Process = Row<ProcessesTable>;
export type Sidecar = Row<SidecarsTable>;

export interface ProcessFilters extends CommonFilters {
  readonly types?: readonly string[] | undefined;
  readonly app_guids?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
}

/** What can be said of a process; what is left out stays. */
export interface ProcessFields {
  readonly command?: string | null | undefined;
  readonly instances?: number | undefined;
  readonly memory_in_mb?: number | undefined;
  readonly disk_in_mb?: number | undefined;
  readonly log_rate_limit_in_bytes_per_second?: number | undefined;
  readonly health_check?: HealthCheckColumn | undefined;
  readonly readiness_health_check?: HealthCheckColumn | undefined;
  readonly process_user?: string | null | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

/** Cloud Controller's defaults: one web instance, none of other types; 1 GiB of memory and of disk. */
export function newProcess(app: Guid, type: string, fields: ProcessFields = {}) {
  const nothing = { timeout: null, invocation_timeout: null };
  const health: HealthCheckColumn =
    type === 'web' ? { type: 'port', data: nothing } : { type: 'process', data: { timeout: null } };
  return {
    // As Cloud Controller has it; clients rely on it.
    guid: type === 'web' ? app : newGuid(),
    app_guid: app,
    type,
    command: fields.command ?? null,
    instances: fields.instances ?? (type === 'web' ? 1 : 0),
    memory_in_mb: fields.memory_in_mb ?? PROCESS_LIMITS.memoryMb,
    disk_in_mb: fields.disk_in_mb ?? PROCESS_LIMITS.diskMb,
    log_rate_limit_in_bytes_per_second: fields.log_rate_limit_in_bytes_per_second ?? -1,
    health_check: json(fields.health_check ?? health),
    readiness_health_check: json(fields.readiness_health_check ?? { type: 'process', data: {} }),
    process_user: fields.process_user ?? null,
  };
}

export async function listProcesses(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: ProcessFilters; readonly paging: Paging },
): Promise<Page<Process>> {
  const { types, app_guids, space_guids, organization_guids } = by.filters;
  let query = visible(queries, caller).where(commonConditions('processes', by.filters));
  if (types !== undefined) query = query.where(anyOf('processes.type', types));
  if (app_guids !== undefined) query = query.where(anyOf('processes.app_guid', app_guids));
  if (space_guids !== undefined) query = query.where(anyOf('apps.space_guid', space_guids));
  if (organization_guids !== undefined) {
    query = query.where(inOrganizations('apps.space_guid', organization_guids));
  }
  return await pageOf(queries, query, { table: 'processes', paging: by.paging });
}

export async function findProcess(
  queries: Queries,
  caller: Caller,
  by: { readonly guid: Guid } | { readonly app: Guid; readonly type: string },
): Promise<Process | undefined> {
  const query = visible(queries, caller);
  return await ('guid' in by
    ? query.where('processes.guid', '=', by.guid)
    : query.where('processes.app_guid', '=', by.app).where('processes.type', '=', by.type)
  ).executeTakeFirst();
}

/** Of one app, in the order of their making. */
export async function processesOf(queries: Queries, app: Guid): Promise<readonly Process[]> {
  return await queries
    .selectFrom('processes')
    .selectAll()
    .where('app_guid', '=', app)
    .orderBy('id')
    .execute();
}

export async function updateProcess(queries: Queries, guid: Guid, fields: ProcessFields): Promise<Process> {
  const { metadata, health_check, readiness_health_check, ...plain } = fields;
  return await queries
    .updateTable('processes')
    .set({
      ...Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined)),
      ...(health_check !== undefined && { health_check: json(health_check) }),
      ...(readiness_health_check !== undefined && { readiness_health_check: json(readiness_health_check) }),
      ...mergedMetadata(metadata),
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function sidecarsOf(
  queries: Queries,
  of: { readonly app: Guid; readonly type?: string },
): Promise<readonly Sidecar[]> {
  let query = queries.selectFrom('sidecars').selectAll().where('app_guid', '=', of.app).orderBy('id');
  if (of.type !== undefined) query = query.where(sql<boolean>`process_types ? ${of.type}`);
  return await query.execute();
}

function visible(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('processes')
    .innerJoin('apps', 'apps.guid', 'processes.app_guid')
    .selectAll('processes')
    .where('apps.deleting', '=', false)
    .where(inVisibleSpace(caller, 'apps.space_guid'));
}
