/** `stager admin users` and `keys`: who can sign in, and what signs their tokens. */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import {
  type Account,
  createAccount,
  deleteAccount,
  findAccountByName,
  listAccounts,
  setPassword,
} from '../../../service/sign-in/accounts.ts';
import { ADMIN_SCOPES } from '../../../service/sign-in/admin.ts';
import { SigningKeys } from '../../../service/sign-in/keys.ts';
import type { Queries } from '../../../service/state/database.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';
import { withState } from './admin-place.ts';

/** Accounts of a page of the list. */
const PAGE = 500;

export async function adminUserList(context: Context): Promise<number> {
  const { output } = context;
  const rows = await withState(context, async ({ database }) => await allAccounts(database.queries));
  if (output.json) for (const row of rows) output.object(row);
  else
    for (const line of table(rows.map((row) => [row.username, row.admin ? 'admin' : '', row.state])))
      output.line(line);
  return 0;
}

async function allAccounts(queries: Queries) {
  const all: Account[] = [];
  for (;;) {
    const { rows } = await listAccounts(queries, {}, { offset: all.length, limit: PAGE });
    all.push(...rows);
    if (rows.length < PAGE) break;
  }
  return all.map(({ guid, username, origin, scopes, active, locked_until: until }) => ({
    guid,
    username,
    origin,
    admin: scopes.includes('cloud_controller.admin'),
    state: !active ? 'inactive' : until !== null && until > new Date() ? 'locked' : 'active',
  }));
}

/** With the password of STAGER_PASSWORD, or one that is made up and shown. */
export async function adminUserAdd(context: Context): Promise<number> {
  const { args, flags, output } = context;
  const username = String(args[0]);
  const { password, shown } = passwordOf(context);
  await withState(context, async ({ database }) => {
    const scopes = flags['admin'] === true ? ADMIN_SCOPES : [];
    await database.queries.transaction().execute(async (transaction) => {
      const account = await createAccount(transaction, { username, password, scopes });
      if (account === undefined) {
        throw new StagerError('USAGE', `there is already an account ${username}`, {
          next: `Change its password: stager admin users password ${username}`,
        });
      }
      await transaction
        .insertInto('users')
        .values({ guid: account.guid, username, origin: account.origin })
        .execute();
    });
  });
  say(output, { type: 'user-added', username, ...shown });
  return 0;
}

/** Signs the account out everywhere, and unlocks it. */
export async function adminUserPassword(context: Context): Promise<number> {
  const { args, output } = context;
  const username = String(args[0]);
  const { password, shown } = passwordOf(context);
  await withState(context, async ({ database }) => {
    await setPassword(database.queries, (await existing(database.queries, username)).guid, password);
  });
  say(output, { type: 'password-set', username, ...shown });
  return 0;
}

/** Its roles stay until the user is deleted through the API. */
export async function adminUserRemove(context: Context): Promise<number> {
  const { args, output } = context;
  const username = String(args[0]);
  await withState(context, async ({ database }) => {
    await deleteAccount(database.queries, (await existing(database.queries, username)).guid);
  });
  say(output, { type: 'user-removed', username });
  return 0;
}

export async function adminKeyList(context: Context): Promise<number> {
  const { output } = context;
  const keys = await withState(context, async ({ database }) =>
    database.queries
      .selectFrom('signing_keys')
      .select(['kid', 'created_at'])
      .orderBy('created_at', 'desc')
      .execute(),
  );
  if (output.json) for (const key of keys) output.object(key);
  else {
    const lines = keys.map(({ kid, created_at: at }, index) => [
      kid,
      at.toISOString(),
      index === 0 ? 'signs' : 'verifies',
    ]);
    for (const line of table(lines)) output.line(line);
  }
  return 0;
}

/** `--forget-others`: for a key that somebody else may have. Ends every earlier token. */
export async function adminKeyRotate(context: Context): Promise<number> {
  const { flags, output } = context;
  const kid = await withState(context, async ({ database: { queries } }) => {
    const made = await new SigningKeys(queries).add();
    if (flags['forgetOthers'] === true) {
      await queries.deleteFrom('signing_keys').where('kid', '<>', made).execute();
      await sql`delete from refresh_tokens`.execute(queries);
    }
    return made;
  });
  say(output, { type: 'key-made', kid });
  return 0;
}

function passwordOf({ config }: Context): {
  readonly password: string;
  readonly shown: { password?: string };
} {
  if (config.password !== undefined) return { password: config.password, shown: {} };
  const password = randomBytes(18).toString('base64url');
  return { password, shown: { password } };
}

async function existing(queries: Queries, username: string): Promise<Account> {
  const account = await findAccountByName(queries, username);
  if (account !== undefined) return account;
  throw new StagerError('USAGE', `there is no account ${username}`, { next: 'See: stager admin users list' });
}

const SENTENCES = {
  'user-added': 'added',
  'password-set': 'has a new password and is signed out',
  'user-removed': 'removed',
  'key-made': 'will sign tokens within the hour, or as soon as the servers restart',
} as const;

function say(
  output: Context['output'],
  facts: {
    readonly type: keyof typeof SENTENCES;
    readonly username?: string;
    readonly kid?: string;
    readonly password?: string;
  },
): void {
  if (output.json) {
    output.object(facts);
    return;
  }
  const { type, username, kid, password } = facts;
  output.line(`${username ?? kid ?? ''} ${SENTENCES[type]}`);
  if (password !== undefined) output.line(`Its password is ${password} (shown only once)`);
}
