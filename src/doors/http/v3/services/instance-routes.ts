/** `/v3/service_instances`: those that users provide. */
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { spaceSeenBy } from '../../../../service/resources/seen.ts';
import {
  createServiceInstance,
  deleteServiceInstance,
  listServiceInstances,
  updateServiceInstance,
} from '../../../../service/resources/service-instances.ts';
import { CfError, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand, demandRead } from '../../route/demand.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import { eventOnInstance } from './events.ts';
import { instanceOf } from './find.ts';
import { fieldsOfInstances } from './included.ts';
import { presentServiceInstance } from './present.ts';
import {
  CreateServiceInstance,
  Credentials,
  ServiceInstanceAnswer,
  ServiceInstanceQuery,
  ServiceInstances,
  ServiceInstancesQuery,
  UpdateServiceInstance,
} from './schema.ts';

const list = route({
  method: 'GET',
  path: '/v3/service_instances',
  summary: 'List service instances',
  access: 'signed-in',
  query: ServiceInstancesQuery,
  answers: { 200: ServiceInstances },
  handle: async ({ query, caller, service, base, url }) => {
    const { queries } = service.database;
    const page = await listServiceInstances(queries, caller, { filters: query, paging: pagingOf(query) });
    const body = presentList(page, { base, url, query }, (row) => presentServiceInstance(row, base));
    return { status: 200, body: { ...body, ...(await fieldsOfInstances(queries, page.rows, query)) } };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/service_instances/:guid',
  summary: 'Get a service instance',
  access: 'signed-in',
  params: ByGuid,
  query: ServiceInstanceQuery,
  answers: { 200: ServiceInstanceAnswer },
  handle: async (call) => {
    const { row } = await instanceOf(call, call.params.guid);
    const fields = await fieldsOfInstances(call.service.database.queries, [row], call.query);
    return { status: 200, body: { ...presentServiceInstance(row, call.base), ...fields } };
  },
});

const credentials = route({
  method: 'GET',
  path: '/v3/service_instances/:guid/credentials',
  summary: 'Get the credentials of a service instance',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Credentials },
  handle: async (call) => {
    const { row, standing } = await instanceOf(call, call.params.guid);
    demandRead(mayReadSecrets, standing);
    return { status: 200, body: { ...row.credentials } };
  },
});

const parameters = route({
  method: 'GET',
  path: '/v3/service_instances/:guid/parameters',
  summary: 'Refused: what users provide has no parameters',
  access: 'signed-in',
  params: ByGuid,
  answers: {},
  handle: async (call) => {
    await instanceOf(call, call.params.guid);
    throw new CfError(
      'ServiceFetchInstanceParametersNotSupported',
      'This service does not support fetching service instance parameters.',
    );
  },
});

const create = route({
  method: 'POST',
  path: '/v3/service_instances',
  summary: 'Create a service instance that users provide',
  access: 'signed-in',
  body: CreateServiceInstance,
  answers: { 201: ServiceInstanceAnswer },
  handle: async ({ body, caller, service, base }) => {
    if (body.type === 'managed') {
      throw unprocessable('stager has no service brokers: create a user-provided service instance.');
    }
    const { queries } = service.database;
    const space = body.relationships.space.data.guid;
    if (!(await spaceSeenBy(queries, caller, space))) {
      throw unprocessable('Invalid space. Ensure that the space exists and you have access to it.');
    }
    demand(mayDevelop, await standingInSpace(queries, caller, space));
    const created = await createServiceInstance(queries, space, body);
    if (created === undefined) throw nameTaken(body.name);
    await service.audit.recordOn({ ...eventOnInstance('create', created, caller), request: body });
    return { status: 201, body: presentServiceInstance(created, base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/service_instances/:guid',
  summary: 'Change a service instance',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateServiceInstance,
  answers: { 200: ServiceInstanceAnswer },
  handle: async (call) => {
    const { body, caller, service, base } = call;
    const { row, standing } = await instanceOf(call, call.params.guid);
    demand(mayDevelop, standing);
    if (body.parameters !== undefined) {
      throw unprocessable('Parameters are not supported for user-provided service instances.');
    }
    const updated = await updateServiceInstance(service.database.queries, row.guid, body);
    if (updated === undefined) throw nameTaken(body.name ?? row.name);
    await service.audit.recordOn({ ...eventOnInstance('update', updated, caller), request: body });
    return { status: 200, body: presentServiceInstance(updated, base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/service_instances/:guid',
  summary: 'Delete a service instance and its bindings',
  access: 'signed-in',
  params: ByGuid,
  answers: { 204: null },
  handle: async (call) => {
    const { row, standing } = await instanceOf(call, call.params.guid);
    demand(mayDevelop, standing);
    await deleteServiceInstance(call.service.database.queries, row.guid);
    await call.service.audit.recordOn(eventOnInstance('delete', row, call.caller));
    return { status: 204 };
  },
});

export const serviceInstanceRoutes = [list, get, credentials, parameters, create, update, remove];

function nameTaken(name: string): Error {
  return unprocessable(`The service instance name is taken: ${name}.`);
}
