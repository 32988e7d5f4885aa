/**
 * What v3 has, clients ask for, and a server that only stages never has any of: brokers and what they offer, deployments,
 * tasks, revisions. Lists are empty; making one is refused in a sentence.
 */
import { z } from 'zod';
import { mayOperateApps } from '../../../../service/access/may.ts';
import { notImplemented } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { flag, listQuery, texts } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { listOf, presentList } from '../../route/present.ts';
import { appToChange, visibleApp } from '../apps/find.ts';

const Nothing = listOf(z.object({}));

const OFFERING = {
  names: texts.optional(),
  service_broker_guids: texts.optional(),
  service_broker_names: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
  available: flag.optional(),
  'fields[service_broker]': texts.optional(),
  'fields[service_offering.service_broker]': texts.optional(),
  include: texts.optional(),
};

/** path → what it is a list of, and its filters. */
const LISTS: readonly (readonly [`/${string}`, string, z.ZodRawShape])[] = [
  ['/v3/service_brokers', 'service brokers', { names: texts.optional(), space_guids: texts.optional() }],
  ['/v3/service_offerings', 'service offerings', OFFERING],
  [
    '/v3/service_plans',
    'service plans',
    {
      ...OFFERING,
      broker_catalog_ids: texts.optional(),
      service_offering_guids: texts.optional(),
      service_offering_names: texts.optional(),
      service_instance_guids: texts.optional(),
    },
  ],
  [
    '/v3/service_route_bindings',
    'bindings of services to routes',
    {
      route_guids: texts.optional(),
      service_instance_guids: texts.optional(),
      service_instance_names: texts.optional(),
      include: texts.optional(),
    },
  ],
  [
    '/v3/deployments',
    'deployments',
    {
      app_guids: texts.optional(),
      states: texts.optional(),
      status_values: texts.optional(),
      status_reasons: texts.optional(),
    },
  ],
  [
    '/v3/tasks',
    'tasks',
    {
      names: texts.optional(),
      states: texts.optional(),
      app_guids: texts.optional(),
      space_guids: texts.optional(),
      organization_guids: texts.optional(),
    },
  ],
];

const PageOnly = z.object({
  page: z.int(),
  per_page: z.int(),
  order_by: z.object({ column: z.string(), direction: z.enum(['asc', 'desc']) }),
});

const lists = LISTS.map(([path, what, filters]) => {
  // The names of filters are known here and not to the types; of the checked query only its page is read.
  const query = listQuery(filters);
  return route({
    method: 'GET',
    path,
    summary: `List ${what}: always none`,
    access: 'signed-in',
    query: query.transform((given) => PageOnly.parse(given)),
    answers: { 200: Nothing },
    handle: async ({ query: given, base, url }) => ({
      status: 200,
      body: presentList({ rows: [], total: 0 }, { base, url, query: given }, () => ({})),
    }),
  });
});

const OF_APPS: readonly (readonly [string, string])[] = [
  ['tasks', 'tasks'],
  ['revisions', 'revisions'],
  ['revisions/deployed', 'revisions that run'],
];

const listsOfApps = OF_APPS.map(([name, what]) =>
  route({
    method: 'GET',
    path: `/v3/apps/:guid/${name}`,
    summary: `List an app's ${what}: always none`,
    access: 'signed-in',
    params: ByGuid,
    query: listQuery({ names: texts.optional(), states: texts.optional(), versions: texts.optional() }),
    answers: { 200: Nothing },
    handle: async (call) => {
      await visibleApp(call, call.params.guid);
      return { status: 200, body: presentList({ rows: [], total: 0 }, call, () => ({})) };
    },
  }),
);

const createTask = route({
  method: 'POST',
  path: '/v3/apps/:guid/tasks',
  summary: 'Refused: nothing runs here',
  access: 'signed-in',
  params: ByGuid,
  answers: {},
  handle: async (call) => {
    await appToChange(call, call.params.guid, mayOperateApps);
    throw notImplemented(
      'tasks: nothing runs behind this API. `stager run -- COMMAND` runs one in a droplet',
    );
  },
});

const createDeployment = route({
  method: 'POST',
  path: '/v3/deployments',
  summary: 'Refused: nothing runs here, so nothing is deployed with a strategy',
  access: 'signed-in',
  answers: {},
  handle: async () => {
    throw notImplemented(
      'deployments: nothing runs behind this API. Push without --strategy, and with --no-start',
    );
  },
});

export const absentRoutes = [...lists, ...listsOfApps, createTask, createDeployment];
