/** Accounts that can sign in here: queries, and the lock against guessing passwords. */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { unlessTaken } from '../state/failures.ts';
import type { AccountsTable } from '../state/schema-tenancy.ts';
import { hashPassword, isPassword } from './passwords.ts';

export type Account = Row<AccountsTable>;

/** UAA's: after five wrong passwords in a row an account takes no password for five minutes. */
const LOCK_AFTER = 5;
const LOCK_SECONDS = 300;

export interface NewAccount {
  readonly username: string;
  readonly password?: string | undefined;
  readonly origin?: string | undefined;
  readonly email?: string | undefined;
  readonly givenName?: string | undefined;
  readonly familyName?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/** @returns undefined when the name is taken in that origin. */
export async function createAccount(queries: Queries, fields: NewAccount): Promise<Account | undefined> {
  const { username, password, origin = 'uaa', email, givenName, familyName, scopes = [] } = fields;
  const password_hash = password === undefined ? null : await hashPassword(password);
  return await unlessTaken(
    'accounts_username',
    queries
      .insertInto('accounts')
      .values({
        guid: newGuid(),
        username,
        origin,
        email: email ?? null,
        given_name: givenName ?? null,
        family_name: familyName ?? null,
        password_hash,
        scopes: json(scopes),
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function findAccountByName(
  queries: Queries,
  username: string,
  origin?: string,
): Promise<Account | undefined> {
  let query = queries
    .selectFrom('accounts')
    .selectAll()
    .where(sql<boolean>`lower(username) = lower(${username})`);
  if (origin !== undefined) query = query.where('origin', '=', origin);
  return await query.orderBy('id').executeTakeFirst();
}

export async function findAccount(queries: Queries, guid: Guid): Promise<Account | undefined> {
  return await queries.selectFrom('accounts').selectAll().where('guid', '=', guid).executeTakeFirst();
}

/** What {@link listAccounts} looks for; absent means any. */
export interface AccountFilter {
  readonly userName?: string;
  readonly origin?: string;
  readonly id?: string;
}

export async function listAccounts(
  queries: Queries,
  filter: AccountFilter,
  page: { readonly offset: number; readonly limit: number },
): Promise<{ rows: readonly Account[]; total: number }> {
  const { userName, origin, id } = filter;
  const found = queries
    .selectFrom('accounts')
    .where(userName === undefined ? sql<boolean>`true` : sql<boolean>`lower(username) = lower(${userName})`)
    .where(origin === undefined ? sql<boolean>`true` : sql<boolean>`origin = ${origin}`)
    .where(id === undefined ? sql<boolean>`true` : sql<boolean>`guid = ${id}`);
  const rows = await found.selectAll().orderBy('id').offset(page.offset).limit(page.limit).execute();
  const count = await found.select(({ fn }) => fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  return { rows, total: count.total };
}

/** Everybody is signed out of the account: tokens from before are no longer accepted. */
export async function setPassword(queries: Queries, guid: Guid, password: string): Promise<void> {
  const password_hash = await hashPassword(password);
  await queries
    .updateTable('accounts')
    .set({
      password_hash,
      tokens_valid_after: sql<Date>`now()`,
      failed_logins: 0,
      locked_until: null,
      updated_at: sql<Date>`now()`,
    })
    .where('guid', '=', guid)
    .execute();
  await queries.deleteFrom('refresh_tokens').where('account_guid', '=', guid).execute();
}

export async function deleteAccount(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('accounts').where('guid', '=', guid).execute();
}

/** Outcome of an attempt to sign in. */
export type SignInTry =
  | { readonly kind: 'ok'; readonly account: Account }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'locked' };

/** Checks a password. An unknown name is wrong after the same time as a known one. */
export async function tryPassword(
  queries: Queries,
  given: { readonly username: string; readonly password: string; readonly origin?: string | undefined },
): Promise<SignInTry> {
  const account = await findAccountByName(queries, given.username, given.origin);
  if (account !== undefined && (await isLocked(queries, account.guid))) return { kind: 'locked' };
  const right = await isPassword(given.password, account?.password_hash);
  if (account === undefined) return { kind: 'wrong' };
  if (right && account.active) {
    if (account.failed_logins > 0) await forgive(queries, account.guid);
    return { kind: 'ok', account };
  }
  await countFailure(queries, account.guid);
  return { kind: 'wrong' };
}

async function isLocked(queries: Queries, guid: Guid): Promise<boolean> {
  const locked = await queries
    .selectFrom('accounts')
    .select('guid')
    .where('guid', '=', guid)
    .where('locked_until', '>', sql<Date>`now()`)
    .executeTakeFirst();
  return locked !== undefined;
}

async function forgive(queries: Queries, guid: Guid): Promise<void> {
  await queries
    .updateTable('accounts')
    .set({ failed_logins: 0, locked_until: null })
    .where('guid', '=', guid)
    .execute();
}

async function countFailure(queries: Queries, guid: Guid): Promise<void> {
  await queries
    .updateTable('accounts')
    .set({
      failed_logins: sql<number>`case when failed_logins + 1 >= ${LOCK_AFTER} then 0 else failed_logins + 1 end`,
      locked_until: sql<Date | null>`case when failed_logins + 1 >= ${LOCK_AFTER}
        then now() + make_interval(secs => ${LOCK_SECONDS}) else locked_until end`,
    })
    .where('guid', '=', guid)
    .execute();
}
