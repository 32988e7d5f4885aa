/** `/v3/packages`: made, listed, labelled, deleted. The bytes are in bits-routes.ts. */
import type { z } from 'zod';
import { mayDevelop } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { type App, findApp } from '../../../../service/resources/apps.ts';
import {
  type DockerImage,
  dockerImageOf,
  setDockerLogin,
} from '../../../../service/resources/docker-packages.ts';
import { createPackageRow, labelPackage, listPackages } from '../../../../service/resources/packages.ts';
import { parseImageReference } from '../../../../stores/registry/reference.ts';
import { isStagerError } from '../../../../words/errors.ts';
import type { Guid } from '../../../../words/ids.ts';
import { unprocessable } from '../../route/cf-errors.ts';
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
  DockerInput,
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
  summary: 'Create a package of an app: bits, or a docker image; with source_guid, as a copy of another one',
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
      demandFitting(source.type, app);
      // As with Cloud Controller, a copy does not have the credentials.
      const image = source.type === 'docker' ? { image: dockerImageOf(source).image } : undefined;
      const content = source;
      const fields = { app: app.guid, state: 'READY', content, image, metadata: body.metadata } as const;
      const copy = await createPackageRow(queries, fields);
      await service.audit.record({ type: 'audit.app.copy-bits', caller, app, facts: { package_guid: copy } });
      return await created(call, copy);
    }
    if (body.type === undefined) throw unprocessable("Type must be one of 'bits, docker'");
    demandFitting(body.type, app);
    const image = imageIn(body);
    const guid = await createPackageRow(queries, {
      app: app.guid,
      state: image === undefined ? 'AWAITING_UPLOAD' : 'READY',
      image,
      metadata: body.metadata,
    });
    await service.audit.record({
      type: 'audit.app.package.create',
      caller,
      app,
      request: body,
      facts: { package_guid: guid },
    });
    // As after an upload: there is one more now.
    if (image !== undefined) await service.jobs.start('app.expire', { guid: app.guid }, caller);
    return await created(call, guid);
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/packages/:guid',
  summary: 'Label a package, or change the credentials of a docker image',
  access: 'signed-in',
  params: ByGuid,
  body: UpdatePackage,
  answers: { 200: PackageAnswer },
  handle: async (call) => {
    const { username, password, metadata } = call.body;
    const { queries } = call.service.database;
    const found = await packageToChange(call, call.params.guid, mayDevelop);
    if (username != null || password != null) {
      if (found.type !== 'docker')
        throw unprocessable('Cannot update Docker credentials for a buildpack app.');
      await setDockerLogin(queries, found.guid, { username, password });
    }
    await labelPackage(queries, found.guid, metadata);
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

/** An image is for an app of the docker lifecycle, and bytes are for the others. @throws CfError. */
function demandFitting(type: string, { lifecycle_type }: App): void {
  if (type !== 'docker' && lifecycle_type === 'docker')
    throw unprocessable('Cannot create bits package for a Docker app.');
  if (type === 'docker' && lifecycle_type !== 'docker')
    throw unprocessable(`Cannot create Docker package for a ${lifecycle_type} app.`);
}

/** @returns undefined for bits. @throws CfError. */
function imageIn({ type, data = {} }: z.output<typeof CreatePackage>): DockerImage | undefined {
  if (type !== 'docker') {
    if (Object.keys(data).length > 0) throw unprocessable('Data must be empty if provided for bits packages');
    return undefined;
  }
  const parsed = DockerInput.safeParse(data);
  if (!parsed.success) throw unprocessable(...parsed.error.issues.map(dataProblem));
  try {
    parseImageReference(parsed.data.image);
  } catch (error) {
    if (isStagerError(error)) throw unprocessable(`Data Image ${error.message}`);
    throw error;
  }
  return parsed.data;
}

function dataProblem(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `Data Unknown field(s): ${issue.keys.map((key) => `'${key}'`).join(', ')}`;
  return `Data ${issue.message}`;
}
