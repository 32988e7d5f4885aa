/** `/v3/spaces`. */
import type { Caller } from '../../../../service/access/caller.ts';
import { mayDeleteSpace, mayManageOrganization, mayManageSpace } from '../../../../service/access/may.ts';
import { standingInOrganization } from '../../../../service/access/standing.ts';
import type { TargetEvent } from '../../../../service/resources/audit.ts';
import { findOrganization } from '../../../../service/resources/organizations.ts';
import { createSpace, listSpaces, type Space, updateSpace } from '../../../../service/resources/spaces.ts';
import { unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import { accepted } from '../../route/jobs.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { spaceToChange, visibleSpace } from './find.ts';
import { includedOrganizations, presentSpace } from './present.ts';
import { CreateSpace, SpaceAnswer, SpaceQuery, Spaces, SpacesQuery, UpdateSpace } from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/spaces',
  summary: 'List spaces',
  access: 'signed-in',
  query: SpacesQuery,
  answers: { 200: Spaces },
  handle: async ({ query, caller, service, base, url }) => {
    const { queries } = service.database;
    const page = await listSpaces(queries, caller, { filters: query, paging: pagingOf(query) });
    const body = presentList(page, { base, url, query }, (row) => presentSpace(row, base));
    if (query.include === undefined) return { status: 200, body };
    const included = await includedOrganizations(queries, caller, { rows: page.rows, base });
    return { status: 200, body: { ...body, included } };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/spaces/:guid',
  summary: 'Get a space',
  access: 'signed-in',
  params: ByGuid,
  query: SpaceQuery,
  answers: { 200: SpaceAnswer },
  handle: async (call) => {
    const { params, query, caller, service, base } = call;
    const found = await visibleSpace(call, params.guid);
    const body = presentSpace(found, base);
    if (query.include === undefined) return { status: 200, body };
    const included = await includedOrganizations(service.database.queries, caller, { rows: [found], base });
    return { status: 200, body: { ...body, included } };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/spaces',
  summary: 'Create a space',
  access: 'signed-in',
  body: CreateSpace,
  answers: { 201: SpaceAnswer },
  handle: async ({ body, caller, service, base }) => {
    const { queries } = service.database;
    const { guid } = body.relationships.organization.data;
    if ((await findOrganization(queries, caller, guid)) === undefined) {
      throw unprocessable('Invalid organization. Ensure the organization exists and you have access to it.');
    }
    demand(mayManageOrganization, await standingInOrganization(queries, caller, guid));
    const created = await createSpace(queries, guid, body);
    if (created === undefined) throw nameTaken();
    await service.audit.recordOn({ ...eventOn('create', created, caller), request: body });
    return { status: 201, body: presentSpace(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/spaces/:guid',
  summary: 'Rename or label a space',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateSpace,
  answers: { 200: SpaceAnswer },
  handle: async (call) => {
    const { params, body, caller, service, base } = call;
    const found = await spaceToChange(call, params.guid, mayManageSpace);
    const updated = await updateSpace(service.database.queries, found.guid, body);
    if (updated === undefined) throw nameTaken();
    await service.audit.recordOn({ ...eventOn('update', updated, caller), request: body });
    return { status: 200, body: presentSpace(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/spaces/:guid',
  summary: 'Delete a space and all that is in it, in a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 202: null },
  handle: async (call) => {
    const { params, caller, service, base } = call;
    const found = await spaceToChange(call, params.guid, mayDeleteSpace);
    await service.audit.recordOn(eventOn('delete-request', found, caller));
    return accepted(base, await service.jobs.start('space.delete', { guid: found.guid }, caller));
  },
});

export const spaceRoutes = [list, get, create, update, remove];

/** Found by who sees the organization: the space may be gone. */
function eventOn(
  what: 'create' | 'update' | 'delete-request',
  { guid, name, organization_guid: organization }: Space,
  caller: Caller,
): TargetEvent {
  return { type: `audit.space.${what}`, caller, target: { guid, type: 'space', name }, organization };
}

function nameTaken(): Error {
  return unprocessable('Name must be unique per organization');
}
