/** Queries on users: those that the API knows. Who can sign in is another question, see sign-in/accounts.ts. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { isVisibleUser } from '../access/visible.ts';
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
import type { UsersTable } from '../state/schema-tenancy.ts';

export type User = Row<UsersTable>;

export interface UserFilters extends CommonFilters {
  readonly usernames?: readonly string[] | undefined;
  readonly partial_usernames?: readonly string[] | undefined;
  readonly origins?: readonly string[] | undefined;
  /** With a role in it, or in one of its spaces. */
  readonly organization?: Guid | undefined;
  readonly space?: Guid | undefined;
}

export async function listUsers(
  queries: Queries,
  caller: Caller,
  by: { readonly filters: UserFilters; readonly paging: Paging },
): Promise<Page<User>> {
  const { usernames, partial_usernames: parts, origins, organization, space } = by.filters;
  let query = queries
    .selectFrom('users')
    .selectAll()
    .where(isVisibleUser(caller, 'users.guid'))
    .where(commonConditions('users', by.filters));
  if (usernames !== undefined) query = query.where(anyNameOf('users.username', usernames));
  if (origins !== undefined) query = query.where(anyOf('users.origin', origins));
  if (parts !== undefined) {
    const contains = parts.map((part) => sql<boolean>`position(lower(${part}) in lower(users.username)) > 0`);
    query = query.where(sql<boolean>`(${sql.join(contains, sql` or `)})`);
  }
  if (organization !== undefined) {
    query = query.where(sql<boolean>`users.guid in (
      select roles.user_guid from roles left join spaces on spaces.guid = roles.space_guid
      where ${organization} in (roles.organization_guid, spaces.organization_guid))`);
  }
  if (space !== undefined) {
    query = query.where(
      sql<boolean>`users.guid in (select user_guid from roles where space_guid = ${space})`,
    );
  }
  return await pageOf(queries, query, { table: 'users', paging: by.paging });
}

export async function findUser(queries: Queries, caller: Caller, guid: string): Promise<User | undefined> {
  return await queries
    .selectFrom('users')
    .selectAll()
    .where('guid', '=', guid)
    .where(isVisibleUser(caller, 'users.guid'))
    .executeTakeFirst();
}

export async function usersOf(queries: Queries, guids: readonly string[]): Promise<readonly User[]> {
  return await queries
    .selectFrom('users')
    .selectAll()
    .where(anyOf('users.guid', guids))
    .orderBy('id')
    .execute();
}

export interface NewUser {
  readonly guid: string;
  readonly username: string | null;
  readonly origin: string | null;
  readonly metadata?: MetadataPatch | undefined;
}

/** @returns undefined when the guid is taken. */
export async function createUser(queries: Queries, user: NewUser): Promise<User | undefined> {
  const { guid, username, origin, metadata } = user;
  return await unlessTaken(
    'users_guid_key',
    queries
      .insertInto('users')
      .values({ guid, username, origin, ...newMetadata(metadata) })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function updateUser(
  queries: Queries,
  guid: string,
  metadata: MetadataPatch | undefined,
): Promise<User> {
  return await queries
    .updateTable('users')
    .set({ ...mergedMetadata(metadata), updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Its roles go with it. */
export async function deleteUser(queries: Queries, guid: string): Promise<void> {
  await queries.deleteFrom('users').where('guid', '=', guid).execute();
}

/** Whom a name means: users, and accounts that never came here. One entry an origin. */
export async function usersNamed(
  queries: Queries,
  username: string,
  origin: string | undefined,
): Promise<readonly { guid: string; username: string; origin: string }[]> {
  const { rows } = await sql<{ guid: string; username: string; origin: string }>`
    select distinct on (guid) guid, username, origin from (
      select guid, username, origin, 1 as rank from users where lower(username) = lower(${username})
      union all
      select guid, username, origin, 0 as rank from accounts where lower(username) = lower(${username})
    ) as known
    where origin is not null and (${origin ?? null}::text is null or origin = ${origin ?? null})
    order by guid, rank`.execute(queries);
  return rows;
}
