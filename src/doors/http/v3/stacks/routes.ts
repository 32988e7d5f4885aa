/** `/v3/stacks`. */
import { mayAdminister } from '../../../../service/access/may.ts';
import { globalStanding } from '../../../../service/access/standing.ts';
import { listApps } from '../../../../service/resources/apps.ts';
import {
  createStack,
  deleteStack,
  findStack,
  listStacks,
  type Stack as Row,
  updateStack,
} from '../../../../service/resources/stacks.ts';
import type { Queries } from '../../../../service/state/database.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { presentApp } from '../apps/present.ts';
import { Apps, AppsQuery } from '../apps/schema.ts';
import { presentStack } from './present.ts';
import { CreateStack, StackAnswer, Stacks, StacksQuery, UpdateStack } from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/stacks',
  summary: 'List stacks',
  access: 'signed-in',
  query: StacksQuery,
  answers: { 200: Stacks },
  handle: async ({ query, service, base, url }) => {
    const page = await listStacks(service.database.queries, { filters: query, paging: pagingOf(query) });
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentStack(row, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/stacks/:guid',
  summary: 'Get a stack',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: StackAnswer },
  handle: async ({ params, service, base }) => ({
    status: 200,
    body: presentStack(await existing(service.database.queries, params.guid), base),
  }),
});

const listStackApps = route({
  method: 'GET',
  path: '/v3/stacks/:guid/apps',
  summary: 'List the apps that are staged on a stack',
  access: 'signed-in',
  params: ByGuid,
  query: AppsQuery,
  answers: { 200: Apps },
  handle: async ({ params, query, caller, service, base, url }) => {
    const { queries } = service.database;
    const { name } = await existing(queries, params.guid);
    const by = { filters: { ...query, stacks: [name] }, paging: pagingOf(query) };
    const page = await listApps(queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentApp(row, base)) };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/stacks',
  summary: 'Name a root file system that this machine has (stager stack add) as a stack',
  access: 'signed-in',
  body: CreateStack,
  answers: { 201: StackAnswer },
  handle: async ({ body, caller, service, base }) => {
    demand(mayAdminister, globalStanding(caller));
    const created = await createStack(service.database.queries, body);
    if (created === undefined) throw unprocessable('Name must be unique');
    return { status: 201, body: presentStack(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/stacks/:guid',
  summary: 'Label a stack, or say who may use it still',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateStack,
  answers: { 200: StackAnswer },
  handle: async ({ params, body, caller, service, base }) => {
    const { queries } = service.database;
    demand(mayAdminister, globalStanding(caller));
    const found = await existing(queries, params.guid);
    return { status: 200, body: presentStack(await updateStack(queries, found.guid, body), base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/stacks/:guid',
  summary: 'Delete a stack that no app is staged on',
  access: 'signed-in',
  params: ByGuid,
  answers: { 204: null },
  handle: async ({ params, caller, service }) => {
    const { queries } = service.database;
    demand(mayAdminister, globalStanding(caller));
    const found = await existing(queries, params.guid);
    if (!(await deleteStack(queries, found))) {
      throw unprocessable(`Cannot delete stack '${found.name}' because apps are currently using the stack.`);
    }
    return { status: 204 };
  },
});

export const stackRoutes = [list, get, listStackApps, create, update, remove];

async function existing(queries: Queries, guid: Guid): Promise<Row> {
  const found = await findStack(queries, guid);
  if (found === undefined) throw notFound('Stack');
  return found;
}
