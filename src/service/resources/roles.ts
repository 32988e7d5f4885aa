/** Queries on roles: who is what in which organization or space. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { inVisibleOrganization, inVisibleSpace } from '../access/visible.ts';
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
import type { RolesTable, RoleType } from '../state/schema-tenancy.ts';

export type Role = Row<RolesTable>;

export interface RoleFilters extends CommonFilters {
  readonly types?: readonly RoleType[] | undefined;
  readonly user_guids?: readonly string[] | undefined;
  readonly organization_guids?: readonly string[] | undefined;
  readonly space_guids?: readonly string[] | undefined;
}

/** Roles of organizations that the caller sees, and of spaces that it sees. */
function visible(caller: Caller) {
  return sql<boolean>`(${inVisibleOrganization(caller, 'roles.organization_guid')}
    or ${inVisibleSpace(caller, 'roles.space_guid')})`;
}

export async function listRoles(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: RoleFilters; readonly paging: Paging },
): Promise<Page<Role>> {
  const { types, user_guids: users, organization_guids: organizations, space_guids: spaces } = by.filters;
  let query = queries
    .selectFrom('roles')
    .selectAll()
    .where(visible(caller))
    .where(commonConditions('roles', by.filters));
  if (types !== undefined) query = query.where(anyOf('roles.type', types));
  if (users !== undefined) query = query.where(anyOf('roles.user_guid', users));
  if (organizations !== undefined) query = query.where(anyOf('roles.organization_guid', organizations));
  if (spaces !== undefined) query = query.where(anyOf('roles.space_guid', spaces));
  return await pageOf(queries, query, { table: 'roles', paging: by.paging });
}

export async function findRole(queries: Queries, caller: Caller, guid: Guid): Promise<Role | undefined> {
  return await queries
    .selectFrom('roles')
    .selectAll()
    .where('guid', '=', guid)
    .where(visible(caller))
    .executeTakeFirst();
}

/** In an organization or in a space. */
export type RolePlace =
  | { readonly organization_guid: Guid; readonly space_guid: null }
  | { readonly organization_guid: null; readonly space_guid: Guid };

/** @returns undefined when the user has it already. */
export async function createRole(
  queries: Queries,
  role: RolePlace & { readonly type: RoleType; readonly user_guid: string },
): Promise<Role | undefined> {
  return await unlessTaken(
    'roles_once',
    queries
      .insertInto('roles')
      .values({ guid: newGuid(), ...role })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function deleteRole(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('roles').where('guid', '=', guid).execute();
}

/** Whether the user has any role in the organization itself. */
export async function isInOrganization(queries: Queries, user: string, organization: Guid): Promise<boolean> {
  const row = await queries
    .selectFrom('roles')
    .select('guid')
    .where('user_guid', '=', user)
    .where('organization_guid', '=', organization)
    .executeTakeFirst();
  return row !== undefined;
}

/** Whether the user has a role in a space of the organization. */
export async function isInSpaceOf(queries: Queries, user: string, organization: Guid): Promise<boolean> {
  const row = await queries
    .selectFrom('roles')
    .innerJoin('spaces', 'spaces.guid', 'roles.space_guid')
    .select('roles.guid')
    .where('roles.user_guid', '=', user)
    .where('spaces.organization_guid', '=', organization)
    .executeTakeFirst();
  return row !== undefined;
}
