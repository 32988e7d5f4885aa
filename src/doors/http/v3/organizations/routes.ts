/** `/v3/organizations`. */

import type { Caller } from '../../../../service/access/caller.ts';
import { mayAdminister, mayManageOrganization } from '../../../../service/access/may.ts';
import { globalStanding, standingInOrganization } from '../../../../service/access/standing.ts';
import type { TargetEvent } from '../../../../service/resources/audit.ts';
import {
  createOrganization,
  findOrganization,
  listOrganizations,
  type Organization as OrganizationRow,
  updateOrganization,
} from '../../../../service/resources/organizations.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { presentOrganization } from './present.ts';
import {
  CreateOrganization,
  OrganizationAnswer,
  Organizations,
  OrganizationsQuery,
  UpdateOrganization,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/organizations',
  summary: 'List organizations',
  access: 'signed-in',
  query: OrganizationsQuery,
  answers: { 200: Organizations },
  handle: async ({ query, caller, service, base, url }) => {
    const by = { filters: query, paging: pagingOf(query) };
    const page = await listOrganizations(service.database.queries, caller, by);
    return {
      status: 200,
      body: presentList(page, { base, url, query }, (row) => presentOrganization(row, base)),
    };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/organizations/:guid',
  summary: 'Get an organization',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: OrganizationAnswer },
  handle: async ({ params, caller, service, base }) => {
    const found = await findOrganization(service.database.queries, caller, params.guid);
    if (found === undefined) throw notFound('Organization');
    return { status: 200, body: presentOrganization(found, base) };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/organizations',
  summary: 'Create an organization',
  access: 'signed-in',
  body: CreateOrganization,
  answers: { 201: OrganizationAnswer },
  handle: async ({ body, caller, service, base }) => {
    demand(mayAdminister, globalStanding(caller));
    const created = await createOrganization(service.database.queries, body);
    if (created === undefined) throw nameTaken(body.name);
    await service.audit.recordOn({ ...eventOn('create', created, caller), request: body });
    return { status: 201, body: presentOrganization(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/organizations/:guid',
  summary: 'Rename, suspend or label an organization',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateOrganization,
  answers: { 200: OrganizationAnswer },
  handle: async ({ params, body, caller, service, base }) => {
    const { queries } = service.database;
    const found = await findOrganization(queries, caller, params.guid);
    if (found === undefined) throw notFound('Organization');
    demand(mayManageOrganization, await standingInOrganization(queries, caller, found.guid));
    if (body.suspended !== undefined) demand(mayAdminister, globalStanding(caller));
    const updated = await updateOrganization(queries, found.guid, body);
    // Other words than for a new one, and clients know both.
    if (updated === undefined) throw unprocessable(`Organization name '${body.name}' is already taken.`);
    await service.audit.recordOn({ ...eventOn('update', updated, caller), request: body });
    return { status: 200, body: presentOrganization(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/organizations/:guid',
  summary: 'Delete an organization and all that is in it, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async ({ params, caller, service, base }) => {
    const found: OrganizationRow | undefined = await findOrganization(
      service.database.queries,
      caller,
      params.guid,
    );
    if (found === undefined) throw notFound('Organization');
    demand(mayAdminister, globalStanding(caller));
    await service.audit.recordOn(eventOn('delete-request', found, caller));
    const job = await service.jobs.start('organization.delete', { guid: found.guid }, caller);
    return accepted(base, job);
  },
});

export const organizationRoutes = [list, get, create, update, remove];

function eventOn(
  what: 'create' | 'update' | 'delete-request',
  { guid, name }: OrganizationRow,
  caller: Caller,
): TargetEvent {
  const target = { guid, type: 'organization', name };
  return { type: `audit.organization.${what}`, caller, target, organization: guid };
}

function nameTaken(name: string): Error {
  return unprocessable(`Organization '${name}' already exists.`);
}
