/** Queries on organizations. Reading functions leave out what the caller does not see. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleOrganization } from '../access/visible.ts';
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
import type { OrganizationsTable } from '../state/schema-tenancy.ts';

export type Organization = Row<OrganizationsTable>;

export interface OrganizationFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
}

export interface OrganizationFields {
  readonly name?: string | undefined;
  readonly suspended?: boolean | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export async function listOrganizations(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: OrganizationFilters; readonly paging: Paging },
): Promise<Page<Organization>> {
  const { names } = by.filters;
  let query = queries
    .selectFrom('organizations')
    .selectAll()
    .where(inVisibleOrganization(caller, 'organizations.guid'))
    .where(commonConditions('organizations', by.filters));
  if (names !== undefined) query = query.where(anyNameOf('organizations.name', names));
  return await pageOf(queries, query, { table: 'organizations', paging: by.paging });
}

export async function findOrganization(
  queries: Queries,
  caller: Caller,
  guid: Guid,
): Promise<Organization | undefined> {
  return await queries
    .selectFrom('organizations')
    .selectAll()
    .where('guid', '=', guid)
    .where(inVisibleOrganization(caller, 'organizations.guid'))
    .executeTakeFirst();
}

/** Those of these that the caller sees, for `include`. */
export async function organizationsOf(
  queries: Queries,
  caller: Caller,
  guids: readonly string[],
): Promise<readonly Organization[]> {
  return await queries
    .selectFrom('organizations')
    .selectAll()
    .where(anyOf('organizations.guid', guids))
    .where(inVisibleOrganization(caller, 'organizations.guid'))
    .orderBy('id')
    .execute();
}

/** @returns undefined when the name is taken. */
export async function createOrganization(
  queries: Queries,
  fields: OrganizationFields & { readonly name: string },
): Promise<Organization | undefined> {
  const { name, suspended = false, metadata } = fields;
  return await unlessTaken(
    'organizations_name',
    queries
      .insertInto('organizations')
      .values({ guid: newGuid(), name, suspended, ...newMetadata(metadata) })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** @returns undefined when the name is taken. */
export async function updateOrganization(
  queries: Queries,
  guid: Guid,
  { name, suspended, metadata }: OrganizationFields,
): Promise<Organization | undefined> {
  return await unlessTaken(
    'organizations_name',
    queries
      .updateTable('organizations')
      .set({
        ...(name !== undefined && { name }),
        ...(suspended !== undefined && { suspended }),
        ...mergedMetadata(metadata),
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}
