/** `/v3/routes`. */
import type { Caller } from '../../../../service/access/caller.ts';
import { mayOperateApps } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import type { TargetEvent } from '../../../../service/resources/audit.ts';
import { findDomain } from '../../../../service/resources/domains.ts';
import {
  createRoute,
  destinationsOf,
  findRoute,
  listRoutes,
  type Route,
  type RouteFilters,
  updateRoute,
} from '../../../../service/resources/routes.ts';
import { spaceSeenBy } from '../../../../service/resources/seen.ts';
import { notFound, notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { type PageQuery, pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { visibleApp } from '../apps/find.ts';
import { routeToChange, shownRoute, visibleRoute } from './find.ts';
import { includedWithRoutes, type RouteInclude } from './included.ts';
import { presentRoute } from './present.ts';
import {
  AppRoutesQuery,
  CreateRoute,
  RouteAnswer,
  RouteQuery,
  Routes,
  RoutesQuery,
  UnmappedQuery,
  UpdateRoute,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/routes',
  summary: 'List routes',
  access: 'signed-in',
  query: RoutesQuery,
  answers: { 200: Routes },
  handle: async (call) => await listed(call, call.query),
});

const listOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/routes',
  summary: 'List the routes that lead to an app',
  access: 'signed-in',
  params: ByGuid,
  query: AppRoutesQuery,
  answers: { 200: Routes },
  handle: async (call) => {
    const { guid } = await visibleApp(call, call.params.guid);
    return await listed(call, { ...call.query, app_guids: [guid] });
  },
});

const get = route({
  method: 'GET',
  path: '/v3/routes/:guid',
  summary: 'Get a route',
  access: 'signed-in',
  params: ByGuid,
  query: RouteQuery,
  answers: { 200: RouteAnswer },
  handle: async (call) => {
    const { query, service, base } = call;
    const found = await visibleRoute(call, call.params.guid);
    const place = { include: query.include, base };
    const included = await includedWithRoutes(service.database.queries, [found], place);
    return { status: 200, body: { ...(await shownRoute(call, found)), ...included } };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/routes',
  summary: 'Create a route',
  access: 'signed-in',
  body: CreateRoute,
  answers: { 201: RouteAnswer },
  handle: async (call) => {
    const { body, caller, service } = call;
    const { queries } = service.database;
    const space = body.relationships.space.data.guid;
    if (!(await spaceSeenBy(queries, caller, space))) {
      throw unprocessable('Invalid space. Ensure that the space exists and you have access to it.');
    }
    demand(mayOperateApps, await standingInSpace(queries, caller, space));
    const domain = await findDomain(queries, caller, body.relationships.domain.data.guid);
    if (domain === undefined) {
      throw unprocessable('Invalid domain. Ensure that the domain exists and you have access to it.');
    }
    if (typeof body.port === 'number') throw notImplemented('TCP routes');
    if (body.host === '' && domain.organization_guid === null) {
      throw unprocessable('Missing host. Routes in shared domains must have a host defined.');
    }
    const { host, path, metadata } = body;
    const options = withoutNulls(body.options ?? {});
    const guid = await createRoute(queries, { space, domain: domain.guid, host, path, options, metadata });
    if (guid === undefined) throw unprocessable(taken({ host, path }, domain.name));
    const made = await findRoute(queries, caller, guid);
    if (made === undefined) throw notFound('Route');
    await service.audit.recordOn(eventOn('create', made, caller));
    return { status: 201, body: await shownRoute(call, made) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/routes/:guid',
  summary: 'Label a route, or change its options',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateRoute,
  answers: { 200: RouteAnswer },
  handle: async (call) => {
    const { metadata, options } = call.body;
    const found = await routeToChange(call, call.params.guid);
    const merged = options === undefined ? undefined : withoutNulls({ ...found.options, ...options });
    await updateRoute(call.service.database.queries, found.guid, { metadata, options: merged });
    await call.service.audit.recordOn(eventOn('update', found, call.caller));
    return { status: 200, body: await shownRoute(call, await visibleRoute(call, found.guid)) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/routes/:guid',
  summary: 'Delete a route, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const found = await routeToChange(call, call.params.guid);
    const { guid } = found;
    await call.service.audit.recordOn(eventOn('delete-request', found, call.caller));
    return accepted(call.base, await call.service.jobs.start('route.delete', { guid }, call.caller));
  },
});

const removeUnmapped = route({
  method: 'DELETE',
  path: '/v3/spaces/:guid/routes',
  summary: 'Delete the routes of a space that lead nowhere, in a job',
  access: 'signed-in',
  params: ByGuid,
  query: UnmappedQuery,
  answers: { 202: null },
  handle: async ({ params: { guid }, caller, service, base }) => {
    const { queries } = service.database;
    if (!(await spaceSeenBy(queries, caller, guid))) throw notFound('Space');
    demand(mayOperateApps, await standingInSpace(queries, caller, guid));
    return accepted(base, await service.jobs.start('space.delete-unmapped-routes', { guid }, caller));
  },
});

export const routeRoutes = [list, listOfApp, get, create, update, remove, removeUnmapped];

async function listed(
  {
    caller,
    service,
    base,
    url,
  }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base' | 'url'>,
  query: PageQuery & RouteFilters & { readonly include?: readonly RouteInclude[] | undefined },
) {
  const { queries } = service.database;
  const page = await listRoutes(queries, caller, { filters: query, paging: pagingOf(query) });
  const destinations = await destinationsOf(
    queries,
    page.rows.map(({ guid }) => guid),
  );
  const body = presentList(page, { base, url, query }, (row) =>
    presentRoute(row, destinations.get(row.guid) ?? [], base),
  );
  const included = await includedWithRoutes(queries, page.rows, { include: query.include, base });
  return { status: 200, body: { ...body, ...included } };
}

function eventOn(
  what: 'create' | 'update' | 'delete-request',
  { guid, host, space_guid: space }: Route,
  caller: Caller,
): TargetEvent {
  return { type: `audit.route.${what}`, caller, target: { guid, type: 'route', name: host }, space };
}

function taken({ host, path }: { readonly host: string; readonly path: string }, domain: string): string {
  if (path !== '') {
    return `Route already exists with host '${host}' and path '${path}' for domain '${domain}'.`;
  }
  return host === ''
    ? `Route already exists for domain '${domain}'.`
    : `Route already exists with host '${host}' for domain '${domain}'.`;
}

function withoutNulls(options: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const])),
  );
}
