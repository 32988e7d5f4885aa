/** Queries on spaces. Reading functions leave out what the caller does not see. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleSpace } from '../access/visible.ts';
import type { Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import {
  anyNameOf,
  anyOf,
  type CommonFilters,
  commonConditions,
  type Page,
  type Paging,
  pageOf,
} from '../state/list.ts';
import { type MetadataPatch, mergedMetadata, newMetadata } from '../state/metadata.ts';
import type { SpacesTable } from '../state/schema-tenancy.ts';

export type Space = Row<SpacesTable>;

export interface SpaceFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
}

export interface SpaceFields {
  readonly name?: string | undefined;
  readonly allow_ssh?: boolean | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export async function listSpaces(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: SpaceFilters; readonly paging: Paging },
): Promise<Page<Space>> {
  const { names, organization_guids: organizations } = by.filters;
  let query = queries
    .selectFrom('spaces')
    .selectAll()
    .where(inVisibleSpace(caller, 'spaces.guid'))
    .where(commonConditions('spaces', by.filters));
  if (names !== undefined) query = query.where(anyNameOf('spaces.name', names));
  if (organizations !== undefined) query = query.where(anyOf('spaces.organization_guid', organizations));
  return await pageOf(queries, query, { table: 'spaces', paging: by.paging });
}

export async function findSpace(queries: Queries, caller: Caller, guid: Guid): Promise<Space | undefined> {
  return await queries
    .selectFrom('spaces')
    .selectAll()
    .where('guid', '=', guid)
    .where(inVisibleSpace(caller, 'spaces.guid'))
    .executeTakeFirst();
}

/** Those of these that the caller sees, for `include`. */
export async function spacesOf(
  queries: Queries,
  caller: Caller,
  guids: readonly Guid[],
): Promise<readonly Space[]> {
  return await queries
    .selectFrom('spaces')
    .selectAll()
    .where(anyOf('spaces.guid', guids))
    .where(inVisibleSpace(caller, 'spaces.guid'))
    .orderBy('id')
    .execute();
}

/** @returns undefined when the name is taken in the organization. */
export async function createSpace(
  queries: Queries,
  organization: Guid,
  fields: SpaceFields & { readonly name: string },
): Promise<Space | undefined> {
  return await unlessTaken(
    'spaces_name',
    queries
      .insertInto('spaces')
      .values({
        guid: newGuid(),
        name: fields.name,
        organization_guid: organization,
        ...newMetadata(fields.metadata),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** @returns undefined when the name is taken in the organization. */
export async function updateSpace(
  queries: Queries,
  guid: Guid,
  { name, allow_ssh, metadata }: SpaceFields,
): Promise<Space | undefined> {
  return await unlessTaken(
    'spaces_name',
    queries
      .updateTable('spaces')
      .set({
        ...(name !== undefined && { name }),
        ...(allow_ssh !== undefined && { allow_ssh }),
        ...mergedMetadata(metadata),
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}
