/** Makes an app what its manifest asks for. Everything can be repeated: what is as asked stays as it is. */
import { sql } from 'kysely';
import { type GivenCredentials, parseGivenCredentials } from '../../stores/registry/credentials.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import { type App, patchVariables, updateApp } from '../resources/apps.ts';
import { newProcess, type ProcessFields, updateProcess } from '../resources/processes.ts';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { HealthCheckColumn } from '../state/schema-apps.ts';
import {
  type AppManifest,
  type ProcessManifest,
  processesOfManifest,
  type SidecarManifest,
} from './app-manifest.ts';
import { applyRoutes } from './apply-routes.ts';
import { bindServices } from './bind-services.ts';

/** @throws ManifestFailure with a sentence for what only shows while it is applied. */
export async function applyManifest(queries: Queries, app: App, manifest: AppManifest): Promise<void> {
  const credentials = credentialsOfManifest(manifest);
  const isImage = app.lifecycle_type === 'docker';
  const buildpacks = isImage ? undefined : buildpacksOf(manifest);
  await updateApp(queries, app.guid, {
    ...(buildpacks !== undefined && { buildpacks }),
    ...(credentials !== undefined && app.lifecycle_type === 'cnb' && { registry_credentials: credentials }),
    ...(typeof manifest.stack === 'string' && !isImage && { stack: manifest.stack }),
    metadata: {
      labels: manifest.metadata?.labels ?? undefined,
      annotations: manifest.metadata?.annotations ?? undefined,
    },
  });
  if (manifest.env !== undefined && manifest.env !== null) {
    await patchVariables(queries, app.guid, variablesOfManifest(manifest.env));
  }
  for (const wish of processesOfManifest(manifest)) await applyProcess(queries, app.guid, wish);
  for (const sidecar of manifest.sidecars ?? []) await applySidecar(queries, app.guid, sidecar);
  await applyRoutes(queries, app, manifest);
  await bindServices(queries, app, manifest.services ?? []);
}

/** Undefined: nothing is said of them. They were checked when the manifest came. */
function credentialsOfManifest({ 'cnb-credentials': given }: AppManifest): GivenCredentials | undefined {
  return given == null ? undefined : parseGivenCredentials(JSON.stringify(given), 'cnb-credentials');
}

/** Undefined: nothing is said of them. `default` and null bring detect back. */
export function buildpacksOf({ buildpack, buildpacks }: AppManifest): readonly string[] | undefined {
  if (buildpacks !== undefined) return buildpacks ?? [];
  if (buildpack === undefined) return undefined;
  return buildpack === null || buildpack === 'default' || buildpack === 'null' ? [] : [buildpack];
}

/** As text; lists and maps as JSON, null takes a variable away. */
export function variablesOfManifest(
  env: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      if (value === null || typeof value === 'string') return [name, value];
      return [name, typeof value === 'object' ? JSON.stringify(value) : String(value)];
    }),
  );
}

async function applyProcess(queries: Queries, app: Guid, wish: ProcessManifest): Promise<void> {
  const there = await queries
    .selectFrom('processes')
    .selectAll()
    .where('app_guid', '=', app)
    .where('type', '=', wish.type)
    .executeTakeFirst();
  const base = there ?? {
    ...(await queries
      .insertInto('processes')
      .values(newProcess(app, wish.type))
      .returningAll()
      .executeTakeFirstOrThrow()),
  };
  const fields: ProcessFields = {
    ...(wish.command !== undefined && { command: wish.command === 'null' ? null : wish.command }),
    ...(wish.instances !== undefined && { instances: wish.instances }),
    ...(wish.memory !== undefined && { memory_in_mb: wish.memory }),
    ...(wish['disk-quota'] !== undefined && { disk_in_mb: wish['disk-quota'] }),
    ...(wish['log-rate-limit-per-second'] !== undefined && {
      log_rate_limit_in_bytes_per_second: wish['log-rate-limit-per-second'],
    }),
    ...(wish.user !== undefined && { process_user: wish.user }),
    health_check: healthCheckOf(base.health_check, {
      type: wish['health-check-type'],
      endpoint: wish['health-check-http-endpoint'],
      invocation_timeout: wish['health-check-invocation-timeout'],
      interval: wish['health-check-interval'],
      timeout: wish.timeout,
    }),
    readiness_health_check: healthCheckOf(base.readiness_health_check, {
      type: wish['readiness-health-check-type'],
      endpoint: wish['readiness-health-check-http-endpoint'],
      invocation_timeout: wish['readiness-health-check-invocation-timeout'],
      interval: wish['readiness-health-check-interval'],
    }),
  };
  await updateProcess(queries, base.guid, fields);
}

interface HealthWish {
  readonly type: string | undefined;
  readonly endpoint: string | undefined;
  readonly invocation_timeout: number | undefined;
  readonly interval: number | undefined;
  readonly timeout?: number | undefined;
}

/** Undefined when nothing is said of it. */
function healthCheckOf(before: HealthCheckColumn, wish: HealthWish): HealthCheckColumn | undefined {
  const { type: named, ...values } = wish;
  // An endpoint is one of http checks: naming it alone asks for one.
  const type = named ?? (wish.endpoint === undefined ? before.type : 'http');
  const given = Object.entries(values).flatMap(([key, value]) =>
    value === undefined || (key === 'endpoint' && type !== 'http') ? [] : [[key, value] as const],
  );
  if (named === undefined && given.length === 0) return undefined;
  const kept = type === before.type ? before.data : type === 'http' ? { endpoint: '/' } : {};
  return { type, data: { timeout: null, invocation_timeout: null, ...kept, ...Object.fromEntries(given) } };
}

async function applySidecar(queries: Queries, app: Guid, wish: SidecarManifest): Promise<void> {
  const columns = {
    command: wish.command,
    process_types: json(wish['process-types']),
    memory_in_mb: wish.memory ?? null,
  };
  await queries
    .insertInto('sidecars')
    .values({ guid: newGuid(), app_guid: app, name: wish.name, ...columns })
    .onConflict((conflict) =>
      conflict.columns(['app_guid', 'name']).doUpdateSet({ ...columns, updated_at: sql<Date>`now()` }),
    )
    .execute();
}
