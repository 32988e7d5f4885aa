/** Queries on apps. Reading functions leave out what the caller does not see, and what a job is deleting. */
import { sql } from 'kysely';
import type { GivenCredentials } from '../../stores/registry/credentials.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import { json, jsonOrNull, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
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
import type { AppsTable, AppVariables, LifecycleType } from '../state/schema-apps.ts';
import { newProcess } from './processes.ts';

export type App = Row<AppsTable>;

export interface AppFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  readonly stacks?: readonly string[] | undefined;
  readonly lifecycle_type?: string | undefined;
}

/** What can be said of an app; what is left out stays. `stack` null: the default one. */
export interface AppFields {
  readonly name?: string | undefined;
  readonly buildpacks?: readonly string[] | undefined;
  readonly stack?: string | null | undefined;
  /** Null takes them away. */
  readonly registry_credentials?: GivenCredentials | null | undefined;
  readonly environment_variables?: AppVariables | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

/** The lifecycle is said once. */
export interface NewApp extends AppFields {
  readonly name: string;
  readonly lifecycle_type?: LifecycleType | undefined;
}

export async function listApps(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: AppFilters; readonly paging: Paging },
): Promise<Page<App>> {
  const { names, space_guids, organization_guids, stacks, lifecycle_type } = by.filters;
  let query = queries
    .selectFrom('apps')
    .selectAll()
    .where('deleting', '=', false)
    .where(inVisibleSpace(caller, 'apps.space_guid'))
    .where(commonConditions('apps', by.filters));
  // Names of apps differ by case nowhere else than in what people type; Cloud Controller finds them exactly.
  if (names !== undefined) query = query.where(anyOf('apps.name', names));
  if (space_guids !== undefined) query = query.where(anyOf('apps.space_guid', space_guids));
  if (stacks !== undefined) query = query.where(anyNameOf('apps.stack', stacks));
  if (lifecycle_type !== undefined) query = query.where(sql<boolean>`lifecycle_type = ${lifecycle_type}`);
  if (organization_guids !== undefined) {
    query = query.where(inOrganizations('apps.space_guid', organization_guids));
  }
  return await pageOf(queries, query, { table: 'apps', paging: by.paging });
}

export async function findApp(queries: Queries, caller: Caller, guid: Guid): Promise<App | undefined> {
  return await queries
    .selectFrom('apps')
    .selectAll()
    .where('guid', '=', guid)
    .where('deleting', '=', false)
    .where(inVisibleSpace(caller, 'apps.space_guid'))
    .executeTakeFirst();
}

/** With its web process, as Cloud Controller makes it. @returns undefined when the name is taken in the space. */
export async function createApp(queries: Queries, space: Guid, fields: NewApp): Promise<App | undefined> {
  const { name, lifecycle_type = 'buildpack', buildpacks = [], stack = null } = fields;
  const { registry_credentials = null, environment_variables = {}, metadata } = fields;
  return await unlessTaken(
    'apps_name',
    queries.transaction().execute(async (transaction) => {
      const app = await transaction
        .insertInto('apps')
        .values({
          guid: newGuid(),
          name,
          space_guid: space,
          lifecycle_type,
          buildpacks: json(buildpacks),
          stack,
          registry_credentials: jsonOrNull(registry_credentials),
          environment_variables: json(environment_variables),
          ...newMetadata(metadata),
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      await transaction.insertInto('processes').values(newProcess(app.guid, 'web')).execute();
      return app;
    }),
  );
}

/** @returns undefined when the name is taken in the space. */
export async function updateApp(
  queries: Queries,
  guid: Guid,
  { name, buildpacks, stack, registry_credentials, environment_variables, metadata }: AppFields,
): Promise<App | undefined> {
  return await unlessTaken(
    'apps_name',
    queries
      .updateTable('apps')
      .set({
        ...(name !== undefined && { name }),
        ...(buildpacks !== undefined && { buildpacks: json(buildpacks) }),
        ...(stack !== undefined && { stack }),
        ...(registry_credentials !== undefined && {
          registry_credentials: jsonOrNull(registry_credentials),
        }),
        ...(environment_variables !== undefined && { environment_variables: json(environment_variables) }),
        ...mergedMetadata(metadata),
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** Merged in the database, so that two writers at once lose nothing; null takes a variable away. */
export async function patchVariables(
  queries: Queries,
  guid: Guid,
  patch: Readonly<Record<string, string | null>>,
): Promise<App> {
  return await queries
    .updateTable('apps')
    .set({
      environment_variables: sql<string>`jsonb_strip_nulls(environment_variables || ${json(patch)}::jsonb)`,
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @returns false when the droplet is not one of the app's, or not staged. */
export async function setCurrentDroplet(queries: Queries, app: Guid, droplet: Guid | null): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('apps')
    .set({ current_droplet_guid: droplet, updated_at: sql<Date>`now()` })
    .where('guid', '=', app)
    .where(
      droplet === null
        ? sql<boolean>`true`
        : sql<boolean>`exists (select 1 from droplets
            where guid = ${droplet} and app_guid = ${app} and state = 'STAGED')`,
    )
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function setDesiredState(
  queries: Queries,
  guid: Guid,
  state: 'STARTED' | 'STOPPED',
): Promise<App> {
  return await queries
    .updateTable('apps')
    .set({ desired_state: state, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function setFeature(
  queries: Queries,
  guid: Guid,
  name: string,
  enabled: boolean,
): Promise<void> {
  await queries
    .updateTable('apps')
    .set({
      features: sql<string>`features || ${json({ [name]: enabled })}::jsonb`,
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .execute();
}
