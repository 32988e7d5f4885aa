/** What an application of a manifest says about its staging, as parts of a request. Sizes are MiB. */
import type { HealthCheckWish } from '../../words/staging-record.ts';
import type { StageRequest } from '../request/request.ts';
import type { Services } from '../vcap/services.ts';
import type { NamedApp } from './read.ts';
import type { ManifestInstance } from './schema.ts';

/** Absent where the manifest does not say. */
export interface ManifestWishes {
  readonly env: Readonly<Record<string, string>>;
  readonly buildpacks?: readonly string[];
  readonly stack?: string;
  /** For running; building takes more, so it only raises what a staging gets. */
  readonly memoryMb?: number;
  readonly diskMb?: number;
  readonly launch?: NonNullable<StageRequest['launch']>;
}

/** The wishes of one application. */
export function manifestWishes(app: NamedApp): ManifestWishes {
  const web = webOf(app);
  const [buildpacks, launch] = [buildpacksOf(app), launchOf(app)];
  const { memory, 'disk-quota': disk } = web;
  return {
    env: envOf(app),
    ...(buildpacks !== undefined && { buildpacks }),
    ...(app.stack !== undefined && { stack: app.stack }),
    ...(memory !== undefined && { memoryMb: memory }),
    ...(disk !== undefined && { diskMb: disk }),
    ...(launch !== undefined && { launch }),
  };
}

/** As for cf push, `default` and `null` are not names: they bring detect back. */
export function orDetect(names: readonly string[]): readonly string[] {
  return names[0] === 'default' || names[0] === 'null' ? [] : names;
}

/** Sentences about services that the manifest names and `services` lacks. */
export function unboundServices(app: NamedApp, services: Services): readonly string[] {
  const known = new Set(
    Object.values(services)
      .flat()
      .flatMap((binding) => [binding.name, binding['instance_name']]),
  );
  const names = (app.services ?? []).map((service) => (typeof service === 'string' ? service : service.name));
  return names
    .filter((name) => !known.has(name))
    .map(
      (name) =>
        `service ${name} of application ${app.name} is not in the --services document: it is not bound`,
    );
}

function buildpacksOf(app: NamedApp): readonly string[] | undefined {
  if (app.buildpacks !== undefined) return app.buildpacks ?? [];
  const one = app.buildpack;
  if (one === undefined) return undefined;
  return one === null ? [] : orDetect([one]);
}

/** Keys of the application are those of its web process, unless `processes` has an entry for that. */
function webOf(app: NamedApp): Pick<NamedApp, 'command' | 'memory' | 'disk-quota'> {
  return app.processes?.find(({ type }) => type === 'web') ?? app;
}

/** As text, and null as the empty one; lists and maps, which Cloud Controller writes in Ruby's notation, as JSON. */
function envOf(app: NamedApp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(app.env ?? {}).map(([name, value]) => {
      if (value === null) return [name, ''];
      return [name, typeof value === 'object' ? JSON.stringify(value) : String(value)];
    }),
  );
}

function launchOf(app: NamedApp): StageRequest['launch'] {
  const others = (app.processes ?? []).filter(({ type }) => type !== 'web');
  const all = [{ ...webOf(app), type: 'web' }, ...others];
  const commands = Object.fromEntries(
    all.flatMap(({ type, command }) => (command === undefined ? [] : [[type, command] as const])),
  );
  const healthChecks = Object.fromEntries(
    all.flatMap((process) => {
      const check = healthCheckOf(process);
      return check === undefined ? [] : [[process.type, check] as const];
    }),
  );
  const sidecars = app.sidecars ?? [];
  const limits = (key: 'memory' | 'disk-quota') =>
    Object.fromEntries(
      all.flatMap(({ type, [key]: wished }) => (wished === undefined ? [] : [[type, wished] as const])),
    );
  const [memoryMb, diskMb, envNames] = [limits('memory'), limits('disk-quota'), Object.keys(app.env ?? {})];
  const parts = {
    ...(hasEntries(healthChecks) && { healthChecks }),
    ...(hasEntries(memoryMb) && { memoryMb }),
    ...(hasEntries(diskMb) && { diskMb }),
    ...(envNames.length > 0 && { envNames }),
  };
  if (!hasEntries(commands) && sidecars.length === 0 && !hasEntries(parts)) return undefined;
  return { commands, sidecars, ...parts };
}

function hasEntries(map: object): boolean {
  return Object.keys(map).length > 0;
}

/** Undefined when the manifest does not say. Its times are seconds. */
function healthCheckOf(process: ManifestInstance & { readonly type: string }): HealthCheckWish | undefined {
  const named = process['health-check-type'];
  const endpoint = process['health-check-http-endpoint'];
  const invocation = process['health-check-invocation-timeout'];
  const { timeout, 'health-check-interval': interval } = process;
  if ([named, endpoint, invocation, timeout, interval].every((it) => it === undefined)) return undefined;
  return {
    // `none` is the old name of process.
    type: named === 'none' ? 'process' : (named ?? (process.type === 'web' ? 'port' : 'process')),
    ...(endpoint !== undefined && { httpEndpoint: endpoint }),
    ...(timeout !== undefined && { startTimeoutMs: timeout * 1000 }),
    ...(invocation !== undefined && { invocationTimeoutMs: invocation * 1000 }),
    ...(interval !== undefined && { intervalMs: interval * 1000 }),
  };
}
