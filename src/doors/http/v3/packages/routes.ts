/** `/v3/packages`: made, listed, labelled, deleted. The bytes are in bits-routes.ts. */
import { mayDevelop } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { findApp } from '../../../../service/resources/apps.ts';
import { createPackageRow, labelPackage, listPackages } from '../../../../service/resources/packages.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notImplemented, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { visibleApp } from '../apps/find.ts';
import { packageEvent, packageToChange, packageToRead, visiblePackage } from './find.ts';
import { presentPackage } from './present.ts';
import {
  AppPackagesQuery,
  CreatePackage,
  CreatePackageQuery,
  PackageAnswer,
  Packages,
  PackagesQuery,
  UpdatePackage,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/packages',
  summary: 'List packages',
  access: 'signed-in',
  query: PackagesQuery,
  answers: { 200: Packages },
  handle: async ({ query, caller, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listPackages(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentPackage(row, base)) };
  },
});

const listOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/packages',
  summary: 'List the packages of an app',
  access: 'signed-in',
  params: ByGuid,
  query: AppPackagesQuery,
  answers: { 200: Packages },
  handle: async (call) => {
    const { query, caller, service, base, url } = call;
    const app = await visibleApp(call, call.params.guid);
    const by = { filters: { ...query, app_guids: [app.guid] }, paging: pagingOf(query) };
    const page = await listPackages(service.database.queries, caller, by);
    return { status: 200, body: presentList(page, { base, url, query }, (row) => presentPackage(row, base)) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/packages/:guid',
  summary: 'Get a package',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: PackageAnswer },
  handle: async (call) => ({
    status: 200,
    body: presentPackage(await visiblePackage(call, call.params.guid), call.base),
  }),
});

const create = route({
  method: 'POST',
  path: '/v3/packages',
  summary: 'Create a package of an app; with source_guid, as a copy of another one',
  access: 'signed-in',
  query: CreatePackageQuery,
  body: CreatePackage,
  answers: { 201: PackageAnswer },
  handle: async (call) => {
    const { query, body, caller, service } = call;
    const { queries } = service.database;
    const app = await targetApp(call, body.relationships.app.data.guid);
    if (query.source_guid !== undefined) {
      const source = await packageToRead(call, query.source_guid, mayDevelop);
      if (source.state !== 'READY')
        throw unprocessable('The source package is not READY, so it has nothing to copy.');
      const fields = { app: app.guid, state: 'READY', content: source, metadata: body.metadata } as const;
      const copy = await createPackageRow(queries, fields);
      await service.audit.record({ type: 'audit.app.copy-bits', caller, app, facts: { package_guid: copy } });
      return await created(call, copy);
    }
    if (body.type === undefined) throw unprocessable("Type must be one of 'bits, docker'");
    if (body.type === 'docker') throw notImplemented('packages of docker images');
    if (Object.keys(body.data ?? {}).length > 0)
      throw unprocessable('Data must be empty if provided for bits packages');
    const guid = await createPackageRow(queries, {
      app: app.guid,
      state: 'AWAITING_UPLOAD',
      metadata: body.metadata,
    });
    await service.audit.record({
      type: 'audit.app.package.create',
      caller,
      app,
      request: body,
      facts: { package_guid: guid },
    });
    return await created(call, guid);
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/packages/:guid',
  summary: 'Label a package',
  access: 'signed-in',
  params: ByGuid,
  body: UpdatePackage,
  answers: { 200: PackageAnswer },
  handle: async (call) => {
    const found = await packageToChange(call, call.params.guid, mayDevelop);
    await labelPackage(call.service.database.queries, found.guid, call.body.metadata);
    return { status: 200, body: presentPackage(await visiblePackage(call, found.guid), call.base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/packages/:guid',
  summary: 'Delete a package and its bytes, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { caller, service, base } = call;
    const found = await packageToChange(call, call.params.guid, mayDevelop);
    await service.audit.record(packageEvent('delete', found, caller));
    return accepted(base, await service.jobs.start('package.delete', { guid: found.guid }, caller));
  },
});

export const packageRoutes = [list, listOfApp, get, create, update, remove];

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;

/** The app that a request names. @throws CfError 422 when it is not seen, 403. */
async function targetApp({ caller, service }: Asking, guid: Guid) {
  const { queries } = service.database;
  const app = await findApp(queries, caller, guid);
  if (app === undefined) {
    throw unprocessable('App is invalid. Ensure it exists and you have access to it.');
  }
  demand(mayDevelop, await standingInSpace(queries, caller, app.space_guid));
  return app;
}

async function created(call: Asking, guid: Guid) {
  return { status: 201, body: presentPackage(await visiblePackage(call, guid), call.base) } as const;
}
