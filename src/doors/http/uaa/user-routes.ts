/** `/uaa/Users`: who can sign in. Behind `cf create-user`, `cf delete-user` and `cf passwd`. */
import { z } from 'zod';
import type { Caller } from '../../../service/access/caller.ts';
import {
  type Account,
  createAccount,
  deleteAccount,
  findAccount,
  listAccounts,
  setPassword,
} from '../../../service/sign-in/accounts.ts';
import { isPassword } from '../../../service/sign-in/passwords.ts';
import type { Queries } from '../../../service/state/database.ts';
import { type Guid, parseGuid } from '../../../words/ids.ts';
import { route } from '../route/define-route.ts';
import { ByGuid } from '../route/params.ts';
import { insufficientScope, UaaError, unauthorized } from '../route/uaa-error.ts';
import {
  NewPassword,
  NewUaaUser,
  parseFilter,
  presentUaaUser,
  SCHEMAS,
  UaaUser,
  UaaUsers,
} from './user-schema.ts';

/** UAA's own, in its words. */
const USERNAME = /^[\p{L}+0-9\-_.@'!]+$/u;
const PAGE = 100;

const create = route({
  method: 'POST',
  path: '/uaa/Users',
  summary: 'Create a user who can sign in',
  access: 'signed-in',
  body: NewUaaUser,
  answers: { 201: UaaUser },
  handle: async ({ body, caller, service }) => {
    demandScope(caller, 'scim.write', 'scim.create');
    const account = await createAccount(service.database.queries, checked(body));
    if (account === undefined) {
      throw new UaaError(409, 'scim_resource_already_exists', `Username already in use: ${body.userName}`);
    }
    return { status: 201, body: presentUaaUser(account) };
  },
});

function checked(body: z.output<typeof NewUaaUser>) {
  const { userName, password, name, emails = [] } = body;
  // The cf client sends an empty one for its default.
  const origin = body.origin || 'uaa';
  if (userName === '') throw invalid('A username must be provided.');
  if (!USERNAME.test(userName)) throw invalid("Username must match pattern: [\\p{L}+0-9+\\-_.@'!]+");
  if (origin === 'uaa' && (password === undefined || password === ''))
    throw invalid('A password must be provided.');
  return {
    username: userName,
    origin,
    password: password === '' ? undefined : password,
    email: emails[0]?.value,
    givenName: name?.givenName ?? undefined,
    familyName: name?.familyName ?? undefined,
  };
}

const list = route({
  method: 'GET',
  path: '/uaa/Users',
  summary: 'Find users by name',
  access: 'signed-in',
  query: z.object({
    filter: z.string().max(4096).optional(),
    startIndex: z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number)
      .optional(),
    count: z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number)
      .optional(),
  }),
  answers: { 200: UaaUsers },
  handle: async ({ query, caller, service }) => {
    demandScope(caller, 'scim.read', 'scim.write');
    const { startIndex = 1, count = PAGE } = query;
    const page = { offset: Math.max(0, startIndex - 1), limit: Math.min(count, PAGE) };
    const { rows, total } = await listAccounts(service.database.queries, parseFilter(query.filter), page);
    return {
      status: 200,
      body: {
        resources: rows.map(presentUaaUser),
        startIndex,
        itemsPerPage: page.limit,
        totalResults: total,
        schemas: SCHEMAS,
      },
    };
  },
});

const get = route({
  method: 'GET',
  path: '/uaa/Users/:guid',
  summary: 'Get a user',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: UaaUser },
  handle: async ({ params, caller, service }) => {
    if (caller.guid !== params.guid) demandScope(caller, 'scim.read', 'scim.write');
    return { status: 200, body: presentUaaUser(await existing(service.database.queries, params.guid)) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/uaa/Users/:guid',
  summary: 'Delete a user: none of its tokens is taken any more',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: UaaUser },
  handle: async ({ params, caller, service }) => {
    demandScope(caller, 'scim.write');
    const account = await existing(service.database.queries, params.guid);
    await deleteAccount(service.database.queries, account.guid);
    return { status: 200, body: presentUaaUser(account) };
  },
});

const password = route({
  method: 'PUT',
  path: '/uaa/Users/:guid/password',
  summary: 'Change a password: your own with the old one, that of others as an admin',
  access: 'signed-in',
  params: ByGuid,
  body: NewPassword,
  answers: { 200: z.object({ status: z.string(), message: z.string() }) },
  handle: async ({ params, body, caller, service }) => {
    const { queries } = service.database;
    if (caller.guid !== params.guid) demandScope(caller, 'scim.write');
    const account = await existing(queries, params.guid);
    if (caller.guid === account.guid && !(await isPassword(body.oldPassword ?? '', account.password_hash))) {
      throw unauthorized('Old password is incorrect');
    }
    if (await isPassword(body.password, account.password_hash)) {
      throw new UaaError(
        422,
        'invalid_password',
        'Your new password cannot be the same as the old password.',
      );
    }
    if (body.password === '') throw new UaaError(422, 'invalid_password', 'Password must not be empty.');
    await setPassword(queries, account.guid, body.password);
    return { status: 200, body: { status: 'ok', message: 'password updated' } };
  },
});

const UserInfo = z.object({
  user_id: z.string(),
  sub: z.string(),
  user_name: z.string(),
  email: z.string(),
  origin: z.string(),
});

const userInfo = route({
  method: 'GET',
  path: '/uaa/userinfo',
  summary: 'Say who the token is of',
  access: 'signed-in',
  answers: { 200: UserInfo },
  handle: async ({ caller, service }) => {
    const own = parseGuid(caller.guid);
    if (caller.kind !== 'user' || own === undefined) throw insufficientScope();
    const row = await existing(service.database.queries, own);
    const { guid, username, email, origin } = row;
    return {
      status: 200,
      body: { user_id: guid, sub: guid, user_name: username, email: email ?? username, origin },
    };
  },
});

export const userRoutes = [create, list, get, remove, password, userInfo];

async function existing(queries: Queries, guid: Guid): Promise<Account> {
  const account = await findAccount(queries, guid);
  if (account === undefined) throw noUser(guid);
  return account;
}

function noUser(guid: string): UaaError {
  return new UaaError(404, 'scim_resource_not_found', `User ${guid} does not exist`);
}

function invalid(description: string): UaaError {
  return new UaaError(400, 'invalid_scim_resource', description);
}

function demandScope(caller: Caller, ...scopes: readonly string[]): void {
  if (![...scopes, 'uaa.admin'].some((scope) => caller.scopes.has(scope))) throw insufficientScope();
}
