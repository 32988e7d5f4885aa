/** Queries on domains: those of an organization, and those that all share. */
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
import type { DomainsTable } from '../state/schema-platform.ts';

export type Domain = Row<DomainsTable>;

export interface DomainFilters extends CommonFilters {
  readonly names?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  /** Those that apps of this organization may use: its own, and the shared ones. */
  readonly usableIn?: Guid | undefined;
}

export async function listDomains(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: DomainFilters; readonly paging: Paging },
): Promise<Page<Domain>> {
  const { names, organization_guids, usableIn } = by.filters;
  let query = visible(queries, caller).where(commonConditions('domains', by.filters));
  if (names !== undefined) query = query.where(anyNameOf('domains.name', names));
  if (organization_guids !== undefined) {
    query = query.where(anyOf('domains.organization_guid', organization_guids));
  }
  if (usableIn !== undefined) {
    query = query.where((eb) =>
      eb.or([eb('organization_guid', 'is', null), eb('organization_guid', '=', usableIn)]),
    );
  }
  return await pageOf(queries, query, { table: 'domains', paging: by.paging });
}

export async function findDomain(queries: Queries, caller: Caller, guid: Guid): Promise<Domain | undefined> {
  return await visible(queries, caller).where('domains.guid', '=', guid).executeTakeFirst();
}

/** The first shared domain that is not internal: what an app gets when nothing is said. */
export async function defaultDomain(queries: Queries): Promise<Domain | undefined> {
  return await queries
    .selectFrom('domains')
    .selectAll()
    .where('organization_guid', 'is', null)
    .where('internal', '=', false)
    .orderBy('id')
    .executeTakeFirst();
}

/** Makes the shared domain that every foundation has, once. */
export async function seedDomain(queries: Queries, name: string): Promise<void> {
  if ((await defaultDomain(queries)) === undefined) await createDomain(queries, { name });
}

/** @returns undefined when the name is taken. */
export async function createDomain(
  queries: Queries,
  fields: {
    readonly name: string;
    readonly internal?: boolean | undefined;
    readonly organization?: Guid | undefined;
    readonly metadata?: MetadataPatch | undefined;
  },
): Promise<Domain | undefined> {
  return await unlessTaken(
    'domains_name',
    queries
      .insertInto('domains')
      .values({
        guid: newGuid(),
        name: fields.name.toLowerCase(),
        internal: fields.internal ?? false,
        organization_guid: fields.organization ?? null,
        ...newMetadata(fields.metadata),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function labelDomain(
  queries: Queries,
  guid: Guid,
  metadata: MetadataPatch | undefined,
): Promise<Domain> {
  return await queries
    .updateTable('domains')
    .set({ ...mergedMetadata(metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Its routes go with its row. */
export async function deleteDomain(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('domains').where('guid', '=', guid).execute();
}

function visible(queries: Queries, caller: Caller) {
  return queries
    .selectFrom('domains')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('organization_guid', 'is', null),
        eb(inVisibleOrganization(caller, 'domains.organization_guid'), '=', sql<boolean>`true`),
      ]),
    );
}
