/** `/v3/processes`, and the same as `/v3/apps/:guid/processes/:type`. */
import { z } from 'zod';
import type { Caller } from '../../../../service/access/caller.ts';
import { listProcesses, type ProcessFilters, sidecarsOf } from '../../../../service/resources/processes.ts';
import { route } from '../../route/define-route.ts';
import { type PageQuery, pagingOf } from '../../route/list-query.ts';
import { ByGuid, GuidText } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { HttpService } from '../../route/service.ts';
import { visibleApp } from '../apps/find.ts';
import { processAndApp } from './find.ts';
import { routesOfOne } from './one.ts';
import { instancesOf, presentProcess, presentSidecar } from './present.ts';
import {
  AppProcessesQuery,
  Processes,
  ProcessesQuery,
  ProcessInstances,
  Sidecars,
  SidecarsQuery,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/processes',
  summary: 'List processes',
  access: 'signed-in',
  query: ProcessesQuery,
  answers: { 200: Processes },
  handle: async (call) => await listed(call, call.query),
});

const listOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/processes',
  summary: "List an app's processes",
  access: 'signed-in',
  params: ByGuid,
  query: AppProcessesQuery,
  answers: { 200: Processes },
  handle: async (call) => {
    const { guid } = await visibleApp(call, call.params.guid);
    return await listed(call, { ...call.query, app_guids: [guid] });
  },
});

const sidecars = route({
  method: 'GET',
  path: '/v3/processes/:guid/sidecars',
  summary: 'List the sidecars of a process',
  access: 'signed-in',
  params: ByGuid,
  query: SidecarsQuery,
  answers: { 200: Sidecars },
  handle: async (call) => {
    const { process } = await processAndApp(call, call.params);
    const rows = await sidecarsOf(call.service.database.queries, {
      app: process.app_guid,
      type: process.type,
    });
    return { status: 200, body: presentList({ rows, total: rows.length }, call, presentSidecar) };
  },
});

const sidecarsOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/sidecars',
  summary: 'List the sidecars of an app',
  access: 'signed-in',
  params: ByGuid,
  query: SidecarsQuery,
  answers: { 200: Sidecars },
  handle: async (call) => {
    const { guid } = await visibleApp(call, call.params.guid);
    const rows = await sidecarsOf(call.service.database.queries, { app: guid });
    return { status: 200, body: presentList({ rows, total: rows.length }, call, presentSidecar) };
  },
});

const instances = route({
  method: 'GET',
  path: '/v3/processes/:guid/process_instances',
  summary: 'Instances of a process, without what they use: nothing runs here, so all are down',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: ProcessInstances },
  handle: async (call) => {
    const { process } = await processAndApp(call, call.params);
    const self = `${call.base}/v3/processes/${process.guid}`;
    const links = { self: { href: `${self}/process_instances` }, process: { href: self } };
    return { status: 200, body: { resources: instancesOf(process), links } };
  },
});

export const processRoutes = [
  list,
  listOfApp,
  ...routesOfOne({ path: '/v3/processes/:guid', params: ByGuid, names: (params) => params }),
  ...routesOfOne({
    path: '/v3/apps/:guid/processes/:type',
    params: z.object({ guid: GuidText, type: z.string().max(255) }),
    names: ({ guid, type }) => ({ app: guid, type }),
  }),
  instances,
  sidecars,
  sidecarsOfApp,
];

interface Listing {
  readonly caller: Caller;
  readonly service: HttpService;
  readonly base: string;
  readonly url: string;
}

async function listed(
  { caller, service, base, url }: Listing,
  query: PageQuery & ProcessFilters & { readonly embed?: 'process_instances' | undefined },
) {
  const by = { filters: query, paging: pagingOf(query) };
  const page = await listProcesses(service.database.queries, caller, by);
  const view = { base, command: 'hidden', embedInstances: query.embed !== undefined } as const;
  const body = presentList(page, { base, url, query }, (row) => presentProcess(row, view));
  return { status: 200, body };
}
