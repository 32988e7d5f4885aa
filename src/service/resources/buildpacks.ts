/** Queries on the buildpacks of the endpoint. Everybody sees them. Positions are 1, 2, 3 … within a lifecycle. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import {
  anyOf,
  type CommonFilters,
  commonConditions,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { BuildpacksTable } from '../state/schema-platform.ts';

export type Buildpack = Row<BuildpacksTable>;

export interface BuildpackFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly stacks?: readonly string[] | undefined;
  readonly lifecycle?: string | undefined;
}

export async function listBuildpacks(
  queries: Queries,
  by: { readonly filters: BuildpackFilters; readonly paging: Paging },
): Promise<Page<Buildpack>> {
  const { names, stacks, lifecycle } = by.filters;
  let query = queries.selectFrom('buildpacks').selectAll().where(commonConditions('buildpacks', by.filters));
  if (names !== undefined) query = query.where(anyOf('buildpacks.name', names));
  // An empty name means: without a stack.
  if (stacks !== undefined)
    query = query.where(sql<boolean>`coalesce(stack, '') = any(${[...stacks]}::text[])`);
  if (lifecycle !== undefined) query = query.where(sql<boolean>`lifecycle = ${lifecycle}`);
  return await pageOf(queries, query, { table: 'buildpacks', paging: by.paging });
}

export async function findBuildpack(queries: Queries, guid: Guid): Promise<Buildpack | undefined> {
  return await queries.selectFrom('buildpacks').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** Those that have content, in the order in which detect tries them. */
export async function readyBuildpacks(queries: Queries): Promise<readonly Buildpack[]> {
  return await queries
    .selectFrom('buildpacks')
    .selectAll()
    .where('state', '=', 'READY')
    .where('lifecycle', '=', 'buildpack')
    .orderBy('position')
    .execute();
}

/** What can be said of one; what is left out stays. */
export interface BuildpackFields {
  readonly name?: string | undefined;
  readonly stack?: string | null | undefined;
  readonly position?: number | undefined;
  readonly enabled?: boolean | undefined;
  readonly locked?: boolean | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

/** Content, as an upload or a release of stager brings it. */
export type BuildpackContent = Pick<
  Buildpack,
  'filename' | 'version' | 'sha256' | 'content_key' | 'shipped_as'
> & { readonly stack?: string | null };

/** @returns undefined when name and stack are taken. */
export async function createBuildpack(
  queries: Queries,
  fields: BuildpackFields & { readonly name: string },
  content?: BuildpackContent,
): Promise<Buildpack | undefined> {
  const { name, stack = null, position, enabled = true, locked = false, metadata } = fields;
  return await unlessTaken(
    'buildpacks_name',
    queries.transaction().execute(async (transaction) => {
      const guid = newGuid();
      await transaction
        .insertInto('buildpacks')
        .values({
          guid,
          name,
          stack,
          position: LAST,
          enabled,
          locked,
          ...content,
          ...(content !== undefined && { state: 'READY' }),
          ...newMetadata(metadata),
        })
        .execute();
      await place(transaction, guid, position ?? 1);
      return await transaction
        .selectFrom('buildpacks')
        .selectAll()
        .where('guid', '=', guid)
        .executeTakeFirstOrThrow();
    }),
  );
}

/** @returns undefined when name and stack are taken. */
export async function updateBuildpack(
  queries: Queries,
  guid: Guid,
  { name, stack, position, enabled, locked, metadata }: BuildpackFields,
): Promise<Buildpack | undefined> {
  return await unlessTaken(
    'buildpacks_name',
    queries.transaction().execute(async (transaction) => {
      if (position !== undefined) await place(transaction, guid, position);
      return await transaction
        .updateTable('buildpacks')
        .set({
          ...(name !== undefined && { name }),
          ...(stack !== undefined && { stack }),
          ...(enabled !== undefined && { enabled }),
          ...(locked !== undefined && { locked }),
          ...mergedMetadata(metadata),
          updated_at: sql<Date>`now()`,
        })
        .where('guid', '=', guid)
        .returningAll()
        .executeTakeFirstOrThrow();
    }),
  );
}

/** New content. @returns false when name and stack are taken then. */
export async function fillBuildpack(
  queries: Queries,
  guid: Guid,
  content: BuildpackContent,
): Promise<boolean> {
  const filled = await unlessTaken(
    'buildpacks_name',
    queries
      .updateTable('buildpacks')
      .set({ ...content, state: 'READY', updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute(),
  );
  return filled !== undefined;
}

export async function deleteBuildpackRow(queries: Queries, guid: Guid): Promise<void> {
  await queries.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('buildpacks').where('guid', '=', guid).execute();
    await renumber(transaction, guid, undefined);
  });
}

const LAST = 2 ** 31 - 1;

/** Moves one to a position; the others keep their order. Beyond the last is the last. */
async function place(queries: Queries, guid: Guid, position: number): Promise<void> {
  await renumber(queries, guid, position);
}

async function renumber(queries: Queries, moved: Guid, position: number | undefined): Promise<void> {
  const rows = await queries
    .selectFrom('buildpacks')
    .select(['guid', 'position'])
    .where('lifecycle', '=', 'buildpack')
    .orderBy('position')
    .orderBy('id')
    .forUpdate()
    .execute();
  const others = rows.filter(({ guid }) => guid !== moved);
  const own = rows.filter(({ guid }) => guid === moved);
  const at = (position ?? 1) - 1;
  const ordered = [...others.slice(0, at), ...own, ...others.slice(at)];
  for (const [index, row] of ordered.entries()) {
    if (row.position === index + 1) continue;
    await queries
      .updateTable('buildpacks')
      .set({ position: index + 1 })
      .where('guid', '=', row.guid)
      .execute();
  }
}
