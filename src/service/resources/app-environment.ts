/** The whole environment of an app: groups, its own variables, VCAP_APPLICATION and VCAP_SERVICES. */

import { PROCESS_LIMITS } from '../../config/limits.ts';
import { DEFAULT_FDS, stagingApplication } from '../../staging/vcap/application.ts';
import type { Services } from '../../staging/vcap/services.ts';
import type { Guid } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';
import type { Queries } from '../state/database.ts';
import type { AppVariables } from '../state/schema-apps.ts';
import type { App } from './apps.ts';
import { processesOf } from './processes.ts';

/** As `GET /v3/apps/:guid/env` shows it. */
export interface AppEnvironment {
  readonly staging_env_json: Record<string, unknown>;
  readonly running_env_json: Record<string, unknown>;
  readonly environment_variables: Record<string, string>;
  readonly system_env_json: { readonly VCAP_SERVICES: Record<string, unknown> };
  readonly application_env_json: { readonly VCAP_APPLICATION: Record<string, unknown> };
}

/** @param api base URL of the API. */
export async function appEnvironment(
  queries: Queries,
  app: App,
  { api }: { readonly api: string },
): Promise<AppEnvironment> {
  const [staging, running, services, application] = [
    await variableGroup(queries, 'staging'),
    await variableGroup(queries, 'running'),
    await servicesOfApp(queries, app.guid),
    await vcapApplication(queries, app, api),
  ];
  return {
    staging_env_json: { ...staging },
    running_env_json: { ...running },
    environment_variables: { ...app.environment_variables },
    system_env_json: { VCAP_SERVICES: { ...services } },
    application_env_json: { VCAP_APPLICATION: application },
  };
}

/** Variables of a group; none when it was never set. */
export async function variableGroup(queries: Queries, name: 'running' | 'staging'): Promise<AppVariables> {
  const row = await queries
    .selectFrom('environment_variable_groups')
    .select('var')
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.var ?? {};
}

/** VCAP_SERVICES of an app: what is bound to it, under the label that user-provided instances have. */
export async function servicesOfApp(queries: Queries, app: Guid): Promise<Services> {
  const rows = await queries
    .selectFrom('service_credential_bindings as binding')
    .innerJoin('service_instances as instance', 'instance.guid', 'binding.service_instance_guid')
    .where('binding.app_guid', '=', app)
    .where('binding.type', '=', 'app')
    .select([
      'binding.guid as binding_guid',
      'binding.name as binding_name',
      'instance.guid as instance_guid',
      'instance.name as instance_name',
      'instance.credentials',
      'instance.syslog_drain_url',
      'instance.tags',
    ])
    .orderBy('binding.id')
    .execute();
  if (rows.length === 0) return {};
  return {
    'user-provided': rows.map((row) => ({
      label: 'user-provided',
      name: row.binding_name ?? row.instance_name,
      tags: [...row.tags],
      instance_guid: row.instance_guid,
      instance_name: row.instance_name,
      binding_guid: row.binding_guid,
      binding_name: row.binding_name,
      credentials: { ...row.credentials },
      syslog_drain_url: row.syslog_drain_url ?? '',
      volume_mounts: [],
    })),
  };
}

/** Space and organization of an app, as VCAP_APPLICATION names them. */
export async function placeOf(queries: Queries, app: Pick<App, 'space_guid'>) {
  const row = await queries
    .selectFrom('spaces')
    .innerJoin('organizations', 'organizations.guid', 'spaces.organization_guid')
    .where('spaces.guid', '=', app.space_guid)
    .select([
      'spaces.name as space_name',
      'organizations.guid as organization_guid',
      'organizations.name as organization_name',
    ])
    .executeTakeFirstOrThrow();
  return {
    space: { guid: app.space_guid, name: row.space_name },
    organization: { guid: row.organization_guid, name: row.organization_name },
  };
}

/** Addresses of the routes that lead to an app, without scheme. */
export async function urisOf(queries: Queries, app: Guid): Promise<readonly string[]> {
  const rows = await queries
    .selectFrom('route_destinations')
    .innerJoin('routes', 'routes.guid', 'route_destinations.route_guid')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .where('route_destinations.app_guid', '=', app)
    .select(['routes.host', 'routes.path', 'domains.name'])
    .orderBy('routes.id')
    .execute();
  return [...new Set(rows.map(({ host, path, name }) => `${host === '' ? '' : `${host}.`}${name}${path}`))];
}

async function vcapApplication(queries: Queries, app: App, api: string): Promise<Record<string, unknown>> {
  const [processes, place, uris] = [
    await processesOf(queries, app.guid),
    await placeOf(queries, app),
    await urisOf(queries, app.guid),
  ];
  const web = processes.find(({ type }) => type === 'web');
  const facts = {
    guid: app.guid,
    name: app.name,
    limits: {
      memoryMb: web?.memory_in_mb ?? PROCESS_LIMITS.memoryMb,
      diskMb: web?.disk_in_mb ?? PROCESS_LIMITS.diskMb,
      fds: DEFAULT_FDS,
    },
    uris,
    cfApi: api,
    ...place,
  };
  const document = parseJson(stagingApplication(facts, app.guid));
  return typeof document === 'object' && document !== null ? { ...document } : {};
}
