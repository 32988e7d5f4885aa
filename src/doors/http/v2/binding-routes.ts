/** Bindings in v2, as `cf` of version 7 asks for them. */
import { mayDevelop } from '../../../service/access/may.ts';
import { standingInSpace } from '../../../service/access/standing.ts';
import { findApp } from '../../../service/resources/apps.ts';
import {
  bindToApp,
  findServiceBinding,
  listServiceBindings,
  unbind,
} from '../../../service/resources/service-bindings.ts';
import { CfError, notFound } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { demand } from '../route/demand.ts';
import { ByGuid } from '../route/params.ts';
import { eventOnBinding } from '../v3/services/events.ts';
import { instanceOf } from '../v3/services/find.ts';
import { instanceToChange } from './find.ts';
import { pagingOfV2, presentV2, presentV2Page } from './present.ts';
import { CreateBinding, FilteredQuery, Incomplete, V2Binding, V2Bindings } from './service-schema.ts';
import { entityOfBinding, filtersOf } from './services.ts';

const INSTANCES = '/v2/user_provided_service_instances';

const bindings = route({
  method: 'GET',
  path: '/v2/service_bindings',
  summary: 'List bindings, of an app or a service instance (q=app_guid:GUID)',
  access: 'signed-in',
  query: FilteredQuery,
  answers: { 200: V2Bindings },
  handle: async ({ query, caller, service }) => {
    const { app_guid, service_instance_guid } = filtersOf(query, ['app_guid', 'service_instance_guid']);
    const filters = {
      ...(app_guid !== undefined && { app_guids: [app_guid] }),
      ...(service_instance_guid !== undefined && { service_instance_guids: [service_instance_guid] }),
    };
    const by = { filters, paging: pagingOfV2(query) };
    const page = await listServiceBindings(service.database.queries, caller, by);
    const place = { path: '/v2/service_bindings', query };
    return { status: 200, body: presentV2Page(page, place, entityOfBinding) };
  },
});

const bindingsOfInstance = route({
  method: 'GET',
  path: '/v2/user_provided_service_instances/:guid/service_bindings',
  summary: 'List the bindings of a service instance',
  access: 'signed-in',
  params: ByGuid,
  query: FilteredQuery,
  answers: { 200: V2Bindings },
  handle: async (call) => {
    const { params, query, caller, service } = call;
    const { row } = await instanceOf(call, params.guid);
    const by = { filters: { service_instance_guids: [row.guid] }, paging: pagingOfV2(query) };
    const page = await listServiceBindings(service.database.queries, caller, by);
    const place = { path: `${INSTANCES}/${row.guid}/service_bindings`, query };
    return { status: 200, body: presentV2Page(page, place, entityOfBinding) };
  },
});

const bind = route({
  method: 'POST',
  path: '/v2/service_bindings',
  summary: 'Bind a service instance to an app',
  access: 'signed-in',
  query: Incomplete,
  body: CreateBinding,
  answers: { 201: V2Binding },
  handle: async (call) => {
    const { body, caller, service } = call;
    const { queries } = service.database;
    const instance = await instanceToChange(call, body.service_instance_guid);
    const target = await findApp(queries, caller, body.app_guid);
    if (target === undefined || target.space_guid !== instance.space_guid) throw notFound('App');
    const guid = await bindToApp(queries, {
      instance: instance.guid,
      app: target.guid,
      name: body.name === '' ? null : body.name,
    });
    if (guid === undefined) {
      throw new CfError('ServiceBindingAppServiceTaken', 'The app is already bound to the service.');
    }
    await service.audit.record(eventOnBinding('create', { app: target, guid }, caller));
    const made = await findServiceBinding(queries, caller, guid);
    if (made === undefined) throw notFound('Service binding');
    return { status: 201, body: presentV2('/v2/service_bindings', made, entityOfBinding) };
  },
});

const release = route({
  method: 'DELETE',
  path: '/v2/service_bindings/:guid',
  summary: 'Take a binding away',
  access: 'signed-in',
  params: ByGuid,
  query: Incomplete,
  answers: { 204: null },
  handle: async ({ params, caller, service }) => {
    const { queries } = service.database;
    const found = await findServiceBinding(queries, caller, params.guid);
    if (found === undefined) throw notFound('Service binding');
    demand(mayDevelop, await standingInSpace(queries, caller, found.space_guid));
    await unbind(queries, found.guid);
    if (found.app_guid !== null) {
      const app = { guid: found.app_guid, space_guid: found.space_guid };
      await service.audit.record(eventOnBinding('delete', { app, guid: found.guid }, caller));
    }
    return { status: 204 };
  },
});

export const v2BindingRoutes = [bindings, bindingsOfInstance, bind, release];
