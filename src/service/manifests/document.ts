/** An app as a manifest that makes it again: `GET /v3/apps/:guid/manifest`. Keys are in Cloud Controller's order. */
import type { App } from '../resources/apps.ts';
import { dockerImageOf } from '../resources/docker-packages.ts';
import { type Process, processesOf, sidecarsOf } from '../resources/processes.ts';
import type { Queries } from '../state/database.ts';

/** One application; what is not set is left out. */
export type AppDocument = Readonly<Record<string, unknown>>;

export async function manifestDocument(queries: Queries, app: App): Promise<AppDocument> {
  const [routes, services, processes, sidecars] = [
    await routesOf(queries, app),
    await servicesOf(queries, app),
    await processesOf(queries, app.guid),
    await sidecarsOf(queries, { app: app.guid }),
  ];
  return {
    name: app.name,
    lifecycle: app.lifecycle_type,
    ...(await dockerOf(queries, app)),
    ...(app.buildpacks.length > 0 && { buildpacks: [...app.buildpacks] }),
    ...(app.stack !== null && { stack: app.stack }),
    ...some('env', app.environment_variables),
    ...(routes.length > 0 && { routes }),
    ...metadataOf(app),
    ...(services.length > 0 && { services }),
    processes: processes.map(processDocument),
    ...(sidecars.length > 0 && {
      sidecars: sidecars.map(({ name, process_types, command, memory_in_mb: memory }) => ({
        name,
        process_types: [...process_types],
        command,
        ...(memory !== null && { memory: `${memory}M` }),
      })),
    }),
  };
}

/** The image that the app uses; none before it has a droplet. */
async function dockerOf(queries: Queries, app: App): Promise<AppDocument> {
  if (app.lifecycle_type !== 'docker' || app.current_droplet_guid === null) return {};
  const row = await queries
    .selectFrom('packages')
    .innerJoin('droplets', 'droplets.package_guid', 'packages.guid')
    .where('droplets.guid', '=', app.current_droplet_guid)
    .select('packages.data')
    .executeTakeFirst();
  if (row === undefined) return {};
  const { image, username } = dockerImageOf(row);
  return { docker: { image, ...(username != null && { username }) } };
}

function some(key: string, map: Readonly<Record<string, string>>) {
  return Object.keys(map).length === 0 ? {} : { [key]: { ...map } };
}

function metadataOf({ labels, annotations }: App) {
  const metadata = { ...some('labels', labels), ...some('annotations', annotations) };
  return Object.keys(metadata).length === 0 ? {} : { metadata };
}

function processDocument(process: Process): AppDocument {
  const { health_check: health, readiness_health_check: readiness } = process;
  return {
    type: process.type,
    instances: process.instances,
    memory: `${process.memory_in_mb}M`,
    disk_quota: `${process.disk_in_mb}M`,
    'log-rate-limit-per-second': rateText(process.log_rate_limit_in_bytes_per_second),
    ...(process.command !== null && { command: process.command }),
    'health-check-type': health.type,
    ...(health.type === 'http' && { 'health-check-http-endpoint': health.data['endpoint'] ?? '/' }),
    ...present('health-check-invocation-timeout', health.data['invocation_timeout']),
    ...present('health-check-interval', health.data['interval']),
    ...present('timeout', health.data['timeout']),
    'readiness-health-check-type': readiness.type,
    ...(readiness.type === 'http' && {
      'readiness-health-check-http-endpoint': readiness.data['endpoint'] ?? '/',
    }),
    ...present('readiness-health-check-invocation-timeout', readiness.data['invocation_timeout']),
    ...present('readiness-health-check-interval', readiness.data['interval']),
    ...present('user', process.process_user),
  };
}

function present(key: string, value: string | number | null | undefined) {
  return value === null || value === undefined ? {} : { [key]: value };
}

function rateText(bytes: number): string | number {
  return bytes === -1 || bytes === 0 ? bytes : `${bytes}B`;
}

async function routesOf(queries: Queries, app: App): Promise<readonly AppDocument[]> {
  const rows = await queries
    .selectFrom('route_destinations')
    .innerJoin('routes', 'routes.guid', 'route_destinations.route_guid')
    .innerJoin('domains', 'domains.guid', 'routes.domain_guid')
    .where('route_destinations.app_guid', '=', app.guid)
    .select(['routes.host', 'routes.path', 'routes.options', 'domains.name', 'route_destinations.protocol'])
    .orderBy('routes.id')
    .execute();
  return rows.map(({ host, path, options, name, protocol }) => ({
    route: `${host === '' ? '' : `${host}.`}${name}${path}`,
    protocol: protocol ?? 'http1',
    ...some('options', options),
  }));
}

async function servicesOf(queries: Queries, app: App): Promise<readonly unknown[]> {
  const rows = await queries
    .selectFrom('service_credential_bindings as binding')
    .innerJoin('service_instances as instance', 'instance.guid', 'binding.service_instance_guid')
    .where('binding.app_guid', '=', app.guid)
    .select(['instance.name', 'binding.name as binding_name'])
    .orderBy('binding.id')
    .execute();
  return rows.map(({ name, binding_name }) => (binding_name === null ? name : { name, binding_name }));
}
