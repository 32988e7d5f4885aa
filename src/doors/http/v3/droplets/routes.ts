/** `/v3/droplets`: listed, made, changed, deleted. The bytes are in bits-routes.ts. */
import { mayDevelop } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { findApp } from '../../../../service/resources/apps.ts';
import {
  copyDropletRow,
  createDropletRow,
  type DropletFilters,
  listDroplets,
  patchDroplet,
} from '../../../../service/resources/droplets.ts';
import type { Paging } from '../../../../service/state/list.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { type PageQuery, pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { visibleApp } from '../apps/find.ts';
import { visiblePackage } from '../packages/find.ts';
import { dropletEvent, dropletToChange, dropletToRead, shownDroplet } from './find.ts';
import { presentDroplet } from './present.ts';
import {
  AppDropletsQuery,
  CreateDroplet,
  CreateDropletQuery,
  DropletAnswer,
  Droplets,
  DropletsQuery,
  PackageDropletsQuery,
  UpdateDroplet,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/droplets',
  summary: 'List droplets',
  access: 'signed-in',
  query: DropletsQuery,
  answers: { 200: Droplets },
  handle: async (call) => await listed(call, { filters: call.query, paging: pagingOf(call.query) }),
});

const listOfApp = route({
  method: 'GET',
  path: '/v3/apps/:guid/droplets',
  summary: 'List the droplets of an app',
  access: 'signed-in',
  params: ByGuid,
  query: AppDropletsQuery,
  answers: { 200: Droplets },
  handle: async (call) => {
    const app = await visibleApp(call, call.params.guid);
    const filters = { ...call.query, app_guids: [app.guid] };
    return await listed(call, { filters, paging: pagingOf(call.query) });
  },
});

const listOfPackage = route({
  method: 'GET',
  path: '/v3/packages/:guid/droplets',
  summary: 'List the droplets that were made of a package',
  access: 'signed-in',
  params: ByGuid,
  query: PackageDropletsQuery,
  answers: { 200: Droplets },
  handle: async (call) => {
    const found = await visiblePackage(call, call.params.guid);
    const filters = { ...call.query, package_guids: [found.guid] };
    return await listed(call, { filters, paging: pagingOf(call.query) });
  },
});

const current = route({
  method: 'GET',
  path: '/v3/apps/:guid/droplets/current',
  summary: 'Get the droplet that an app uses',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: DropletAnswer },
  handle: async (call) => {
    const { current_droplet_guid: guid } = await visibleApp(call, call.params.guid);
    if (guid === null) throw notFound('Droplet');
    return { status: 200, body: await shownDroplet(call, guid) };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/droplets/:guid',
  summary: 'Get a droplet',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: DropletAnswer },
  handle: async (call) => ({ status: 200, body: await shownDroplet(call, call.params.guid) }),
});

const create = route({
  method: 'POST',
  path: '/v3/droplets',
  summary: 'Create a droplet that will be uploaded; with source_guid, as a copy of another one',
  access: 'signed-in',
  query: CreateDropletQuery,
  body: CreateDroplet,
  answers: { 201: DropletAnswer },
  handle: async (call) => {
    const { query, body, caller, service } = call;
    const { queries } = service.database;
    const app = await findApp(queries, caller, body.relationships.app.data.guid);
    if (app === undefined) {
      const { guid } = body.relationships.app.data;
      throw unprocessable(`App with guid "${guid}" does not exist, or you do not have access to it.`);
    }
    demand(mayDevelop, await standingInSpace(queries, caller, app.space_guid));
    if (query.source_guid !== undefined) {
      const source = await dropletToRead(call, query.source_guid, mayDevelop);
      if (source.state !== 'STAGED') throw unprocessable('Invalid source droplet: it is not staged');
      if (source.lifecycle_type !== app.lifecycle_type)
        throw unprocessable('source and destination lifecycle types do not match');
      const copy = await copyDropletRow(queries, source, app.guid);
      const facts = { droplet_guid: copy, source_droplet_guid: source.guid };
      await service.audit.record({ type: 'audit.app.droplet.create', caller, app, facts });
      return { status: 201, body: await shownDroplet(call, copy) };
    }
    if (app.lifecycle_type !== 'buildpack') {
      const what = `apps with ${app.lifecycle_type} lifecycles`;
      throw unprocessable(`Droplet creation is not available for ${what}.`);
    }
    const guid = await createDropletRow(queries, {
      app: app.guid,
      processTypes: body.process_types ?? { web: '' },
      metadata: body.metadata,
    });
    await service.audit.record({
      type: 'audit.app.droplet.create',
      caller,
      app,
      request: body,
      facts: { droplet_guid: guid },
    });
    return { status: 201, body: await shownDroplet(call, guid) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/droplets/:guid',
  summary: 'Label a droplet, or change its process types',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateDroplet,
  answers: { 200: DropletAnswer },
  handle: async (call) => {
    const found = await dropletToChange(call, call.params.guid, mayDevelop);
    if (call.body.image !== undefined && found.lifecycle_type !== 'docker') {
      throw unprocessable('Images can only be updated for docker droplets');
    }
    await patchDroplet(call.service.database.queries, found.guid, call.body);
    return { status: 200, body: await shownDroplet(call, found.guid) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/droplets/:guid',
  summary: 'Delete a droplet and its bytes, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { caller, service, base } = call;
    const found = await dropletToChange(call, call.params.guid, mayDevelop);
    await service.audit.record(dropletEvent('delete', found, caller));
    return accepted(base, await service.jobs.start('droplet.delete', { guid: found.guid }, caller));
  },
});

export const dropletRoutes = [list, listOfApp, listOfPackage, current, get, create, update, remove];

async function listed(
  { query, caller, service, base, url }: Call<unknown, PageQuery, unknown>,
  by: { readonly filters: DropletFilters; readonly paging: Paging },
) {
  const page = await listDroplets(service.database.queries, caller, by);
  const present = (row: (typeof page.rows)[number]) => presentDroplet(row, base, 'hidden in lists');
  return { status: 200, body: presentList(page, { base, url, query }, present) } as const;
}
