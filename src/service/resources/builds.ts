/** Queries on builds. Reading functions leave out what the caller does not see. */
import { sql } from 'kysely';
import type { GivenCredentials } from '../../stores/registry/credentials.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json, jsonOrNull, type Row } from '../state/columns.ts';
import type { Database, Queries } from '../state/database.ts';
import { anyOf, type Page, type Paging, pageOf } from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { AppVariables, BuildsTable, BuildTrace, LifecycleType } from '../state/schema-apps.ts';
import { type OfAppFilters, ofVisibleApps } from './of-apps.ts';

/** With the space of its app, and the droplet that came out. */
export type Build = Row<BuildsTable> & { readonly space_guid: Guid; readonly droplet_guid: Guid | null };

export interface BuildFilters extends OfAppFilters {
  readonly package_guids?: readonly string[] | undefined;
}

export async function listBuilds(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: BuildFilters; readonly paging: Paging },
): Promise<Page<Build>> {
  const { package_guids } = by.filters;
  let query = visible(queries, caller, by.filters);
  if (package_guids !== undefined) query = query.where(anyOf('builds.package_guid', package_guids));
  return await pageOf(queries, query, { table: 'builds', paging: by.paging });
}

export async function findBuild(queries: Queries, caller: Caller, guid: Guid): Promise<Build | undefined> {
  return await visible(queries, caller, {}).where('builds.guid', '=', guid).executeTakeFirst();
}

function visible(queries: Queries, caller: Caller, filters: OfAppFilters) {
  return queries
    .selectFrom('builds')
    .innerJoin('apps', 'apps.guid', 'builds.app_guid')
    .selectAll('builds')
    .select('apps.space_guid')
    .select((eb) =>
      eb
        .selectFrom('droplets')
        .whereRef('droplets.build_guid', '=', 'builds.guid')
        .where('droplets.state', '<>', 'STAGING')
        .orderBy('droplets.id')
        .limit(1)
        .select('droplets.guid')
        .as('droplet_guid'),
    )
    .where(ofVisibleApps('builds', caller, filters));
}

/** What a new one has. Sizes in MB, the rate in bytes a second. */
export interface NewBuild {
  readonly app: { readonly guid: Guid; readonly space_guid: Guid };
  readonly package: Guid;
  readonly lifecycle: LifecycleType;
  readonly buildpacks: readonly string[];
  readonly stack: string | null;
  readonly credentials: GivenCredentials | null;
  readonly environment: AppVariables;
  readonly memory: number;
  readonly disk: number;
  readonly logRate: number;
  readonly by: Caller;
  readonly trace: BuildTrace;
  readonly metadata?: MetadataPatch | undefined;
}

/** What becomes of a build when another of its app is STAGING: it is refused, waits for it, or that one is ended. */
export type WhenStaging = 'refuse' | 'wait' | 'supersede';

/** `superseded`: those that are to be ended now. */
export type CreatedBuild =
  | { readonly kind: 'created'; readonly guid: Guid; readonly superseded: readonly Guid[] }
  | { readonly kind: 'refused' };

/** With its log, waiting in the queue. */
export async function createBuildRow(
  { queries, queue }: Pick<Database, 'queries' | 'queue'>,
  fields: NewBuild,
  whenStaging: WhenStaging = 'refuse',
): Promise<CreatedBuild> {
  return await queries.transaction().execute(async (transaction): Promise<CreatedBuild> => {
    const others = await stagingOf(transaction, fields.app.guid);
    if (others.length > 0 && whenStaging === 'refuse') return { kind: 'refused' };
    const guid = await insertBuild(transaction, fields);
    await queue.add('builds', guid, transaction);
    return { kind: 'created', guid, superseded: whenStaging === 'supersede' ? others : [] };
  });
}

/** Under a lock on the app: who asks at the same time waits for the answer. */
async function stagingOf(transaction: Queries, app: Guid): Promise<readonly Guid[]> {
  await transaction.selectFrom('apps').select('guid').where('guid', '=', app).forUpdate().execute();
  const rows = await transaction
    .selectFrom('builds')
    .select('guid')
    .where('app_guid', '=', app)
    .where('state', '=', 'STAGING')
    .execute();
  return rows.map(({ guid }) => guid);
}

async function insertBuild(transaction: Queries, fields: NewBuild): Promise<Guid> {
  const guid = newGuid();
  const { app, by } = fields;
  await transaction
    .insertInto('builds')
    .values({
      guid,
      app_guid: app.guid,
      package_guid: fields.package,
      state: 'STAGING',
      lifecycle_type: fields.lifecycle,
      lifecycle_data: json({ buildpacks: fields.buildpacks, stack: fields.stack }),
      registry_credentials: jsonOrNull(fields.credentials),
      environment: json(fields.environment),
      staging_memory_in_mb: fields.memory,
      staging_disk_in_mb: fields.disk,
      staging_log_rate_limit_bytes_per_second: fields.logRate,
      trace: json(fields.trace),
      created_by: json({ guid: by.guid, name: by.name, email: by.name }),
      ...newMetadata(fields.metadata),
    })
    .execute();
  await transaction
    .insertInto('build_logs')
    .values({ build_guid: guid, app_guid: app.guid, space_guid: app.space_guid })
    .execute();
  return guid;
}

export async function labelBuild(queries: Queries, guid: Guid, metadata?: MetadataPatch): Promise<void> {
  await queries
    .updateTable('builds')
    .set({ ...mergedMetadata(metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .execute();
}
