/** `/v3/service_credential_bindings`: what is bound reaches VCAP_SERVICES of the app's next build. */
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { findApp } from '../../../../service/resources/apps.ts';
import {
  bindToApp,
  findServiceBinding,
  labelServiceBinding,
  listServiceBindings,
  type ServiceBindingRow as Row,
  unbind,
} from '../../../../service/resources/service-bindings.ts';
import { findServiceInstance } from '../../../../service/resources/service-instances.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { demand, demandRead } from '../../route/demand.ts';
import { pagingOf } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { presentList } from '../../route/present.ts';
import type { Call } from '../../route/route.ts';
import { eventOnBinding } from './events.ts';
import { includedWithBindings } from './included.ts';
import { presentServiceBinding } from './present.ts';
import {
  BindingDetails,
  CreateServiceBinding,
  ServiceBindingAnswer,
  ServiceBindingQuery,
  ServiceBindings,
  ServiceBindingsQuery,
  UpdateServiceBinding,
} from './schema.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;

const list = route({
  method: 'GET',
  path: '/v3/service_credential_bindings',
  summary: 'List bindings',
  access: 'signed-in',
  query: ServiceBindingsQuery,
  answers: { 200: ServiceBindings },
  handle: async ({ query, caller, service, base, url }) => {
    const { queries } = service.database;
    const page = await listServiceBindings(queries, caller, { filters: query, paging: pagingOf(query) });
    const body = presentList(page, { base, url, query }, (row) => presentServiceBinding(row, base));
    const included = await includedWithBindings(queries, page.rows, { include: query.include, base });
    return { status: 200, body: { ...body, ...included } };
  },
});

const get = route({
  method: 'GET',
  path: '/v3/service_credential_bindings/:guid',
  summary: 'Get a binding',
  access: 'signed-in',
  params: ByGuid,
  query: ServiceBindingQuery,
  answers: { 200: ServiceBindingAnswer },
  handle: async (call) => {
    const { query, base, service } = call;
    const found = await visibleBinding(call, call.params.guid);
    const included = await includedWithBindings(service.database.queries, [found], {
      include: query.include,
      base,
    });
    return { status: 200, body: { ...presentServiceBinding(found, base), ...included } };
  },
});

const details = route({
  method: 'GET',
  path: '/v3/service_credential_bindings/:guid/details',
  summary: 'Get the credentials of a binding',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: BindingDetails },
  handle: async (call) => {
    const { caller, service } = call;
    const { queries } = service.database;
    const found = await visibleBinding(call, call.params.guid);
    demandRead(mayReadSecrets, await standingInSpace(queries, caller, found.space_guid));
    const instance = await findServiceInstance(queries, caller, found.service_instance_guid);
    return {
      status: 200,
      body: {
        credentials: { ...instance?.credentials },
        ...(typeof instance?.syslog_drain_url === 'string' && {
          syslog_drain_url: instance.syslog_drain_url,
        }),
        volume_mounts: [],
      },
    };
  },
});

const create = route({
  method: 'POST',
  path: '/v3/service_credential_bindings',
  summary: 'Bind a service instance to an app',
  access: 'signed-in',
  body: CreateServiceBinding,
  answers: { 201: ServiceBindingAnswer },
  handle: async (call) => {
    const { body, caller, service, base } = call;
    const { queries } = service.database;
    const wanted = body.relationships.service_instance.data.guid;
    const instance = await findServiceInstance(queries, caller, wanted);
    if (instance === undefined) throw unprocessable(`The service instance could not be found: '${wanted}'`);
    demand(mayDevelop, await standingInSpace(queries, caller, instance.space_guid));
    if (body.type === 'key') {
      throw unprocessable(
        "Service credential bindings of type 'key' are not supported for user-provided service instances.",
      );
    }
    if (body.parameters !== undefined) {
      throw unprocessable('Binding parameters are not supported for user-provided service instances');
    }
    const named = body.relationships.app?.data.guid;
    const app = named === undefined ? undefined : await findApp(queries, caller, named);
    if (app === undefined) throw unprocessable(`The app could not be found: '${named ?? ''}'`);
    if (app.space_guid !== instance.space_guid) {
      throw unprocessable('The service instance and the app are in different spaces');
    }
    const { name, metadata } = body;
    const guid = await bindToApp(queries, { instance: instance.guid, app: app.guid, name, metadata });
    if (guid === undefined) throw unprocessable('The app is already bound to the service instance');
    await service.audit.record(eventOnBinding('create', { app, guid }, caller));
    return { status: 201, body: presentServiceBinding(await visibleBinding(call, guid), base) };
  },
});

const update = route({
  method: 'PATCH',
  path: '/v3/service_credential_bindings/:guid',
  summary: 'Label a binding',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateServiceBinding,
  answers: { 200: ServiceBindingAnswer },
  handle: async (call) => {
    const { guid } = await bindingFor(call, call.params.guid);
    await labelServiceBinding(call.service.database.queries, guid, call.body.metadata);
    return { status: 200, body: presentServiceBinding(await visibleBinding(call, guid), call.base) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/service_credential_bindings/:guid',
  summary: 'Take a binding away',
  access: 'signed-in',
  params: ByGuid,
  answers: { 204: null },
  handle: async (call) => {
    const { guid, app_guid, space_guid } = await bindingFor(call, call.params.guid);
    await unbind(call.service.database.queries, guid);
    if (app_guid !== null) {
      const app = { guid: app_guid, space_guid };
      await call.service.audit.record(eventOnBinding('delete', { app, guid }, call.caller));
    }
    return { status: 204 };
  },
});

export const serviceBindingRoutes = [list, get, details, create, update, remove];

async function visibleBinding({ caller, service }: Asking, guid: Guid): Promise<Row> {
  const found = await findServiceBinding(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Service credential binding');
  return found;
}

async function bindingFor(asking: Asking, guid: Guid): Promise<Row> {
  const found = await visibleBinding(asking, guid);
  const { queries } = asking.service.database;
  demand(mayDevelop, await standingInSpace(queries, asking.caller, found.space_guid));
  return found;
}
