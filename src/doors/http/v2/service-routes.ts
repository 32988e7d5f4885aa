/** What `cf` of version 7 asks of v2: services that users provide, their bindings, and the app and space that they name. */
import { mayDevelop } from '../../../service/access/may.ts';
import { listApps } from '../../../service/resources/apps.ts';
import {
  createServiceInstance,
  deleteServiceInstance,
  listServiceInstances,
  type ServiceInstance,
  updateServiceInstance,
} from '../../../service/resources/service-instances.ts';
import type { Page } from '../../../service/state/list.ts';
import { CfError } from '../route/cf-errors.ts';
import { route } from '../route/define-route.ts';
import { ByGuid } from '../route/params.ts';
import { visibleApp } from '../v3/apps/find.ts';
import { eventOnInstance } from '../v3/services/events.ts';
import { spaceToChange, visibleSpace } from '../v3/spaces/find.ts';
import { instanceToChange } from './find.ts';
import { EVERYTHING, pagingOfV2, presentV2, presentV2Page } from './present.ts';
import { V2App } from './schema.ts';
import {
  CreateInstance,
  FilteredQuery,
  Incomplete,
  UpdateInstance,
  V2Instance,
  V2Instances,
  V2Services,
  V2Summary,
} from './service-schema.ts';
import { bindingsOf, entityOfApp, entityOfInstance, filtersOf } from './services.ts';

const INSTANCES = '/v2/user_provided_service_instances';
const NONE: Page<ServiceInstance> = { rows: [], total: 0 };

const app = route({
  method: 'GET',
  path: '/v2/apps/:guid',
  summary: 'Get an app',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: V2App },
  handle: async (call) => {
    const found = await visibleApp(call, call.params.guid);
    return { status: 200, body: presentV2('/v2/apps', found, entityOfApp) };
  },
});

const instances = route({
  method: 'GET',
  path: '/v2/spaces/:guid/service_instances',
  summary: 'List the service instances of a space, or the one of a name (q=name:NAME)',
  access: 'signed-in',
  params: ByGuid,
  query: FilteredQuery,
  answers: { 200: V2Instances },
  handle: async (call) => {
    const { params, query, caller, service } = call;
    const { queries } = service.database;
    const space = await visibleSpace(call, params.guid);
    const { name } = filtersOf(query, ['name']);
    const filters = { space_guids: [space.guid], ...(name !== undefined && { names: [name] }) };
    const page = await listServiceInstances(queries, caller, { filters, paging: pagingOfV2(query) });
    const bindings = await bindingsOf(call, page.rows);
    const place = { path: `/v2/spaces/${space.guid}/service_instances`, query };
    const present = (row: (typeof page.rows)[number]) => entityOfInstance(row, bindings);
    return { status: 200, body: presentV2Page(page, place, present) };
  },
});

const services = route({
  method: 'GET',
  path: '/v2/services',
  summary: 'List service offerings: always none',
  access: 'signed-in',
  query: FilteredQuery,
  answers: { 200: V2Services },
  handle: async ({ query }) => ({
    status: 200,
    body: presentV2Page(NONE, { path: '/v2/services', query }, () => ({ label: '' })),
  }),
});

const summary = route({
  method: 'GET',
  path: '/v2/spaces/:guid/summary',
  summary: 'The apps and service instances of a space, with what is bound to what',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: V2Summary },
  handle: async (call) => {
    const { params, caller, service } = call;
    const { queries } = service.database;
    const space = await visibleSpace(call, params.guid);
    const by = { filters: { space_guids: [space.guid] }, paging: EVERYTHING };
    const all = await listServiceInstances(queries, caller, by);
    const bound = await bindingsOf(call, all.rows);
    const there = await listApps(queries, caller, by);
    const nameOf = new Map(all.rows.map(({ guid, name }) => [guid, name]));
    const body = {
      guid: space.guid,
      name: space.name,
      apps: there.rows.map(({ guid, name }) => ({
        guid,
        name,
        service_names: bound.flatMap(({ app_guid, service_instance_guid }) =>
          app_guid === guid ? (nameOf.get(service_instance_guid) ?? []) : [],
        ),
      })),
      services: all.rows.map((row) => {
        const { name, type, last_operation, service_bindings } = entityOfInstance(row, bound);
        return { guid: row.guid, name, type, bound_app_count: service_bindings.length, last_operation };
      }),
    };
    return { status: 200, body };
  },
});

const create = route({
  method: 'POST',
  path: '/v2/user_provided_service_instances',
  summary: 'Create a service instance that users provide',
  access: 'signed-in',
  body: CreateInstance,
  answers: { 201: V2Instance },
  handle: async (call) => {
    const { body, caller, service } = call;
    const space = await spaceToChange(call, body.space_guid, mayDevelop);
    const made = await createServiceInstance(service.database.queries, space.guid, {
      ...fieldsOf(body),
      name: body.name,
    });
    if (made === undefined) throw nameTaken(body.name);
    await service.audit.recordOn(eventOnInstance('create', made, caller));
    return { status: 201, body: presentV2(INSTANCES, made, (row) => entityOfInstance(row, [])) };
  },
});

const update = route({
  method: 'PUT',
  path: '/v2/user_provided_service_instances/:guid',
  summary: 'Change a service instance; what is left out, or empty, stays',
  access: 'signed-in',
  params: ByGuid,
  body: UpdateInstance,
  answers: { 201: V2Instance },
  handle: async (call) => {
    const { body, caller, service } = call;
    const found = await instanceToChange(call, call.params.guid);
    const updated = await updateServiceInstance(service.database.queries, found.guid, fieldsOf(body));
    if (updated === undefined) throw nameTaken(body.name ?? found.name);
    await service.audit.recordOn(eventOnInstance('update', updated, caller));
    const bound = await bindingsOf(call, [updated]);
    return { status: 201, body: presentV2(INSTANCES, updated, (row) => entityOfInstance(row, bound)) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v2/service_instances/:guid',
  summary: 'Delete a service instance that nothing is bound to',
  access: 'signed-in',
  params: ByGuid,
  query: Incomplete,
  answers: { 204: null },
  handle: async (call) => {
    const found = await instanceToChange(call, call.params.guid);
    if ((await bindingsOf(call, [found])).length > 0) {
      const sentence = 'Please delete the service_bindings associations for your service_instances.';
      throw new CfError('AssociationNotEmpty', sentence);
    }
    await deleteServiceInstance(call.service.database.queries, found.guid);
    await call.service.audit.recordOn(eventOnInstance('delete', found, call.caller));
    return { status: 204 };
  },
});

export const v2ServiceRoutes = [app, instances, services, summary, create, update, remove];

interface Given {
  readonly name?: string | undefined;
  readonly credentials?: Readonly<Record<string, unknown>> | null | undefined;
  readonly syslog_drain_url?: string | null | undefined;
  readonly route_service_url?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
}

/** `cf` of version 7 sends empty texts and null for what was not said. */
function fieldsOf({ name, credentials, syslog_drain_url, route_service_url, tags }: Given) {
  const said = (text: string | null | undefined) => (text === '' || text === null ? undefined : text);
  return {
    name: said(name),
    credentials: credentials ?? undefined,
    syslog_drain_url: said(syslog_drain_url),
    route_service_url: said(route_service_url),
    tags: tags ?? undefined,
  };
}

function nameTaken(name: string): CfError {
  return new CfError('ServiceInstanceNameTaken', `The service instance name is taken: ${name}`);
}
