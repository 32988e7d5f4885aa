/** `/v3/apps`: make, find, change, delete. */
import { mayDevelop } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { createApp, listApps, updateApp } from '../../../../service/resources/apps.ts';
import { spaceSeenBy } from '../../../../service/resources/seen.ts';
import { unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { appToChange, visibleApp } from './find.ts';
import { includedWithApps } from './included.ts';
import { demandLifecycle, demandOpenStack, lifecycleFields } from './lifecycle.ts';
import { presentApp } from './present.ts';
import { AppAnswer, AppQuery, Apps, AppsQuery, CreateApp, UpdateApp } from './schema.ts';
import { variablesOf } from './variables.ts';

const list = route({
  method: 'GET',
  path: '/v3/apps',
  summary: 'List apps',
  access: 'signed-in',
  query: AppsQuery,
  answers: { 200: Apps },
  handle: async ({ query, caller, service, base, url }) => {
    const { order_by } = query;
    // `state` is what the column means; it has another name.
    const column = order_by.column === 'state' ? 'desired_state' : order_by.column;
    const paging = { ...pagingOf(query), order: { column, direction: order_by.direction } };
    const page = await listApps(service.database.queries, caller, { filters: query, paging });
    const body = presentList(page, { base, url, query }, (row) => presentApp(row, base));
    const included = await includedWithApps(service.database.queries, page.rows, {
      include: query.include,
      base,
    });
    return { status: 200, body: { ...body, ...included } };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/apps/:guid',
  summary: 'Get an app',
  access: 'signed-in',
  params: ByGuid,
  query: AppQuery,
  answers: { 200: AppAnswer },
  handle: async (call) => {
    const found = await visibleApp(call, call.params.guid);
    const included = await includedWithApps(call.service.database.queries, [found], {
      include: call.query.include,
      base: call.base,
    });
    return { status: 200, body: { ...presentApp(found, call.base), ...included } };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/apps',
  summary: 'Create an app',
  access: 'signed-in',
  body: CreateApp,
  answers: { 201: AppAnswer },
  handle: async ({ body, caller, service, base }) => {
    const { queries } = service.database;
    const space = body.relationships.space.data.guid;
    if (!(await spaceSeenBy(queries, caller, space))) {
      throw unprocessable('Invalid space. Ensure that the space exists and you have access to it.');
    }
    demand(mayDevelop, await standingInSpace(queries, caller, space));
    const type = body.lifecycle?.type ?? 'buildpack';
    await demandLifecycle(queries, type);
    if (type !== 'docker') await demandOpenStack(queries, body.lifecycle?.data.stack);
    const created = await createApp(queries, space, {
      name: body.name,
      metadata: body.metadata,
      environment_variables: variablesOf(body.environment_variables ?? {}),
      ...(await lifecycleFields(queries, body.lifecycle)),
    });
    if (created === undefined) throw nameTaken(body.name);
    await service.audit.record({ type: 'audit.app.create', caller, app: created, request: body });
    return { status: 201, body: presentApp(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/apps/:guid',
  summary: 'Rename or label an app, or change its lifecycle',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateApp,
  answers: { 200: AppAnswer },
  handle: async (call) => {
    const { body, caller, service, base } = call;
    const { queries } = service.database;
    const found = await appToChange(call, call.params.guid, mayDevelop);
    const updated = await updateApp(queries, found.guid, {
      name: body.name,
      metadata: body.metadata,
      ...(await lifecycleFields(queries, body.lifecycle, { app: found })),
    });
    if (updated === undefined) throw nameTaken(body.name ?? found.name);
    await service.audit.record({ type: 'audit.app.update', caller, app: updated, request: body });
    return { status: 200, body: presentApp(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/apps/:guid',
  summary: 'Delete an app and all that it owns, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { caller, service, base } = call;
    const found = await appToChange(call, call.params.guid, mayDevelop);
    const job = await service.jobs.start('app.delete', { guid: found.guid }, caller);
    await service.audit.record({ type: 'audit.app.delete-request', caller, app: found });
    return accepted(base, job);
  },
});

export const appRoutes = [list, get, create, update, remove];

function nameTaken(name: string): Error {
  return unprocessable(`App with the name '${name}' already exists.`);
}
