/**
 * The little of v2 that scripts around the clients still call through `cf curl`: stacks, apps, info, spaces made and
 * deleted, the addresses of an app's package and droplet. Everything else of v2 is not found.
 */
import {
  mayDeleteSpace,
  mayDownloadDroplet,
  mayManageOrganization,
  mayReadSecrets,
} from '../../../service/access/may.ts';
import { standingInOrganization } from '../../../service/access/standing.ts';
import { listApps } from '../../../service/resources/apps.ts';
import { findOrganization } from '../../../service/resources/organizations.ts';
import { newestReadyPackage } from '../../../service/resources/packages.ts';
import { createSpace } from '../../../service/resources/spaces.ts';
import { listStacks } from '../../../service/resources/stacks.ts';
import type { Queries } from '../../../service/state/database.ts';
import type { Guid } from '../../../words/ids.ts';
import { CfError, notFound } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { demand } from '../route/demand.ts';
import { signInUrl } from '../route/foundation.ts';
import { ByGuid } from '../route/params.ts';
import { appToRead } from '../v3/apps/find.ts';
import { spaceToChange } from '../v3/spaces/find.ts';
import { pagingOfV2, presentV2, presentV2Page } from './present.ts';
import { DeleteSpaceQuery, Info, V2Apps, V2CreateSpace, V2PageQuery, V2Space, V2Stacks } from './schema.ts';
import { FilteredQuery } from './service-schema.ts';
import { entityOfApp, filtersOf } from './services.ts';

/** Milliseconds. v2 answers when the space is gone. */
const WAIT_MS = 20_000;

const info = route({
  method: 'GET',
  path: '/v2/info',
  summary: 'Describe this installation',
  access: 'anyone',
  answers: { 200: Info },
  handle: async ({ base, service }) => {
    const { settings } = service;
    return {
      status: 200,
      body: {
        name: settings.name,
        build: settings.version,
        support: '',
        version: 0,
        description: 'The staging part of Cloud Foundry: see /v3',
        authorization_endpoint: signInUrl(service, { base, part: 'login' }),
        token_endpoint: signInUrl(service, { base, part: 'uaa' }),
        // The least that version 7 of `cf` takes without a complaint, and a little more.
        api_version: '2.164.0',
      },
    };
  },
});

const stacks = route({
  method: 'GET',
  path: '/v2/stacks',
  summary: 'List stacks',
  access: 'signed-in',
  query: V2PageQuery,
  answers: { 200: V2Stacks },
  handle: async ({ query, service }) => {
    const page = await listStacks(service.database.queries, { filters: {}, paging: pagingOfV2(query) });
    const place = { path: '/v2/stacks', query };
    return {
      status: 200,
      body: presentV2Page(page, place, ({ name, description }) => ({ name, description })),
    };
  },
});

const apps = route({
  method: 'GET',
  path: '/v2/apps',
  summary: 'List apps',
  access: 'signed-in',
  query: FilteredQuery,
  answers: { 200: V2Apps },
  handle: async ({ query, caller, service }) => {
    const { name, space_guid } = filtersOf(query, ['name', 'space_guid']);
    const filters = {
      ...(name !== undefined && { names: [name] }),
      ...(space_guid !== undefined && { space_guids: [space_guid] }),
    };
    const by = { filters, paging: pagingOfV2(query) };
    const page = await listApps(service.database.queries, caller, by);
    const body = presentV2Page(page, { path: '/v2/apps', query }, entityOfApp);
    return { status: 200, body };
  },
});

const droplet = route({
  method: 'GET',
  path: '/v2/apps/:guid/droplet/download',
  summary: 'Say where to download the droplet that an app uses',
  access: 'signed-in',
  params: ByGuid,
  answers: { 302: null },
  handle: async (call) => {
    const found = await appToRead(call, call.params.guid, mayDownloadDroplet);
    if (found.current_droplet_guid === null) throw notFound('Droplet');
    return {
      status: 302,
      headers: { location: `${call.base}/v3/droplets/${found.current_droplet_guid}/download` },
    };
  },
});

const bits = route({
  method: 'GET',
  path: '/v2/apps/:guid/download',
  summary: 'Say where to download the newest package of an app',
  access: 'signed-in',
  params: ByGuid,
  answers: { 302: null },
  handle: async (call) => {
    const found = await appToRead(call, call.params.guid, mayReadSecrets);
    const newest = await newestReadyPackage(call.service.database.queries, found.guid);
    if (newest === undefined) throw notFound('Package');
    return { status: 302, headers: { location: `${call.base}/v3/packages/${newest}/download` } };
  },
});

const create = route({
  method: 'POST',
  path: '/v2/spaces',
  summary: 'Create a space',
  access: 'signed-in',
  body: V2CreateSpace,
  answers: { 201: V2Space },
  handle: async ({ body, caller, service }) => {
    const { queries } = service.database;
    const { organization_guid: organization, name } = body;
    if ((await findOrganization(queries, caller, organization)) === undefined) throw notFound('Organization');
    demand(mayManageOrganization, await standingInOrganization(queries, caller, organization));
    const created = await createSpace(queries, organization, { name });
    if (created === undefined)
      throw new CfError('UniquenessError', `The app space name is taken: ${name}`, 400);
    const entity = presentV2('/v2/spaces', created, (row) => ({
      name: row.name,
      organization_guid: row.organization_guid,
    }));
    return { status: 201, body: entity };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v2/spaces/:guid',
  summary: 'Delete a space: an empty one, or with recursive=true all that is in it',
  access: 'signed-in',
  params: ByGuid,
  query: DeleteSpaceQuery,
  answers: { 204: null },
  handle: async (call) => {
    const { params, query, caller, service } = call;
    const found = await spaceToChange(call, params.guid, mayDeleteSpace);
    if (query.recursive !== 'true' && (await hasContents(service.database.queries, found.guid))) {
      throw new CfError(
        'AssociationNotEmpty',
        'Please delete the app, service_instance associations for your spaces.',
      );
    }
    const job = await service.jobs.start('space.delete', { guid: found.guid }, caller);
    await service.jobs.settled(job, WAIT_MS);
    return { status: 204 };
  },
});

export const v2Routes = [info, stacks, apps, bits, droplet, create, remove];

async function hasContents(queries: Queries, space: Guid): Promise<boolean> {
  for (const table of ['apps', 'service_instances'] as const) {
    const found = await queries
      .selectFrom(table)
      .select('guid')
      .where('space_guid', '=', space)
      .executeTakeFirst();
    if (found !== undefined) return true;
  }
  return false;
}
