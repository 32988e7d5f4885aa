/** Browser sessions: random text in a cookie, of which the database stores a digest. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { sha256OfBytes } from '../../words/digest.ts';
import type { Caller } from '../access/caller.ts';
import type { Queries } from '../state/database.ts';
import type { Account } from './accounts.ts';
import { callerOf, rememberUser } from './authenticator.ts';
import { scopesOf } from './tokens.ts';

/** A working day. */
export const PAGE_SESSION_HOURS = 12;

/** @returns what the browser keeps. */
export async function startPageSession(queries: Queries, account: Account): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  await queries
    .insertInto('page_sessions')
    .values({
      hash: sha256OfBytes(secret),
      account_guid: account.guid,
      expires_at: sql<Date>`now() + make_interval(hours => ${PAGE_SESSION_HOURS})`,
    })
    .execute();
  return secret;
}

/** @returns undefined when it is over, ended, or from before the account's password was changed. */
export async function callerOfPageSession(queries: Queries, secret: string): Promise<Caller | undefined> {
  const account = await queries
    .selectFrom('page_sessions')
    .innerJoin('accounts', 'accounts.guid', 'page_sessions.account_guid')
    .selectAll('accounts')
    .where('page_sessions.hash', '=', sha256OfBytes(secret))
    .where('page_sessions.expires_at', '>', sql<Date>`now()`)
    .whereRef('accounts.tokens_valid_after', '<=', 'page_sessions.created_at')
    .where('accounts.active', '=', true)
    .executeTakeFirst();
  if (account === undefined) return undefined;
  const { guid: user_id, username: user_name, origin } = account;
  const caller = callerOf({ scope: scopesOf(account), client_id: '', user_id, user_name, origin });
  await rememberUser(queries, caller);
  return caller;
}

export async function endPageSession(queries: Queries, secret: string): Promise<void> {
  await queries.deleteFrom('page_sessions').where('hash', '=', sha256OfBytes(secret)).execute();
}
