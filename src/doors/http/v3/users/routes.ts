/** `/v3/users`, and those of an organization or a space. */
import { mayAdminister } from '../../../../service/access/may.ts';
import { globalStanding } from '../../../../service/access/standing.ts';
import { findOrganization } from '../../../../service/resources/organizations.ts';
import {
  createUser,
  findUser,
  listUsers,
  type User as Row,
  updateUser,
} from '../../../../service/resources/users.ts';
import { createAccount } from '../../../../service/sign-in/accounts.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { CallContext } from '../../route/route.ts';
import { visibleSpace } from '../spaces/find.ts';
import { identityOf } from './identity.ts';
import { presentUser } from './present.ts';
import { ByUserGuid, CreateUser, UpdateUser, UserAnswer, Users, UsersQuery } from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/users',
  summary: 'List users',
  access: 'signed-in',
  query: UsersQuery,
  answers: { 200: Users },
  handle: async ({ query, caller, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listUsers(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentUser(row, base)) };
  },
});

const ofOrganization = route({
  method: 'GET',
  path: '/v3/organizations/:guid/users',
  summary: 'List the users with a role in an organization or one of its spaces',
  access: 'signed-in',
  params: ByGuid,
  query: UsersQuery,
  answers: { 200: Users },
  handle: async ({ params, query, caller, service, base, url }) => {
    const { queries } = service.database;
    const found = await findOrganization(queries, caller, params.guid);
    if (found === undefined) throw notFound('Organization');
    const by = { filters: { ...query, organization: found.guid }, paging: pagingOf(query) };
    const page = await listUsers(queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentUser(row, base)) };
  },
});

const ofSpace = route({
  method: 'GET',
  path: '/v3/spaces/:guid/users',
  summary: 'List the users with a role in a space',
  access: 'signed-in',
  params: ByGuid,
  query: UsersQuery,
  answers: { 200: Users },
  handle: async (call) => {
    const { params, query, caller, service, base, url } = call;
    const found = await visibleSpace(call, params.guid);
    const by = { filters: { ...query, space: found.guid }, paging: pagingOf(query) };
    const page = await listUsers(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentUser(row, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/users/:guid',
  summary: 'Get a user',
  access: 'signed-in',
  params: ByUserGuid,
  answers: { 200: UserAnswer },
  handle: async (call) => ({
    status: 200,
    body: presentUser(await visibleUser(call, call.params.guid), call.base),
  }),
});

const create = route({
  method: 'POST',
  path: '/v3/users',
  summary: 'Make a user known, by the guid that its issuer gave it or by name and origin',
  access: 'signed-in',
  body: CreateUser,
  answers: { 201: UserAnswer },
  handle: async (call) => {
    const { body, caller, service, base } = call;
    demand(mayAdminister, globalStanding(caller));
    const { queries } = service.database;
    const identity =
      body.guid === undefined
        ? await newIdentity(call, body.username ?? '', body.origin ?? '')
        : await identityOf(queries, body.guid);
    const created = await createUser(queries, { ...identity, metadata: body.metadata });
    if (created === undefined) throw unprocessable(`User with guid '${identity.guid}' already exists.`);
    return { status: 201, body: presentUser(created, base) };
  },
});

/** One for whom another origin vouches: it can't sign in with a password here. */
async function newIdentity({ service }: CallContext, username: string, origin: string) {
  if (origin === 'uaa') throw unprocessable("Origin cannot be 'uaa' when creating users by username");
  const account = await createAccount(service.database.queries, { username, origin });
  if (account === undefined) {
    throw unprocessable(`User with username '${username}' and origin '${origin}' already exists.`);
  }
  return { guid: account.guid, username, origin };
}

const update = route({
  method: 'PATCH',
  path: '/v3/users/:guid',
  summary: 'Label a user',
  access: 'signed-in',
  params: ByUserGuid,
  body: UpdateUser,
  answers: { 200: UserAnswer },
  handle: async (call) => {
    const { params, body, caller, service, base } = call;
    const found = await visibleUser(call, params.guid);
    demand(mayAdminister, globalStanding(caller));
    const updated = await updateUser(service.database.queries, found.guid, body.metadata);
    return { status: 200, body: presentUser(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/users/:guid',
  summary: 'Forget a user and its roles, in a job',
  access: 'signed-in',
  params: ByUserGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { params, caller, service, base } = call;
    const found = await visibleUser(call, params.guid);
    demand(mayAdminister, globalStanding(caller));
    return accepted(base, await service.jobs.start('user.delete', { guid: found.guid }, caller));
  },
});

export const v3UserRoutes = [list, ofOrganization, ofSpace, get, create, update, remove];

async function visibleUser({ service, caller }: CallContext, guid: string): Promise<Row> {
  const found = await findUser(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('User');
  return found;
}
