/** Settings (and an app of a manifest) → StageRequest. */
import { resolve } from 'node:path';
import type { Config } from '../../../config/load.ts';
import { parseCompression } from '../../../staging/droplet/pack/compression.ts';
import type { NamedApp } from '../../../staging/manifest/read.ts';
import type { Instance } from '../../../staging/manifest/schema.ts';
import { appIdentity, readEnv, readServices, type StageRequest } from '../../../staging/request/request.ts';
import { checkVariables } from '../../../staging/vcap/names.ts';
import type { Services } from '../../../staging/vcap/services.ts';
import { StagerError } from '../../../words/errors.ts';
import { type Guid, parseGuid } from '../../../words/ids.ts';
import type { HealthCheckWish } from '../../../words/staging-record.ts';

/** What the command line adds to the settings. */
export interface StageTarget {
  /** SOURCE; default `.`. */
  readonly source: string;
  /** The app of a manifest; flags and variables win over it. */
  readonly app?: NamedApp;
  /** Warnings about the manifest. */
  readonly notes?: readonly string[];
}

/**
 * The request for one app.
 *
 * @throws StagerError CONFIG_INVALID, ENV_NAME_REFUSED, SERVICES_INVALID, USAGE.
 */
export async function stageRequest(config: Config, target: StageTarget): Promise<StageRequest> {
  const { settings } = config;
  const app = target.app;
  const web = webOf(app);
  const pick = <T>(key: string, own: T, manifest: T | undefined): T =>
    manifest === undefined || config.given.has(key) ? own : manifest;
  const env = { ...manifestEnv(app), ...(await readEnv(settings.env ?? [], settings.envFile)) };
  const services = await readServices(settings.services);
  checkVariables(env, 'the environment of the app');
  return {
    source:
      settings.package === undefined
        ? { kind: 'path', path: target.source }
        : packageSource(settings.package),
    app: await appIdentity(target.source, app?.name ?? settings.appName),
    buildpacks: pick('buildpacks', orDetect(settings.buildpacks ?? []), manifestBuildpacks(app)),
    stack: pick('stack', settings.stack, app?.stack),
    env,
    services,
    notes: [...(target.notes ?? []), ...unboundServices(app, services)],
    memoryMb: pick('memory', settings.memory, atLeast(settings.memory, web?.memory)),
    diskMb: pick('disk', settings.disk, atLeast(settings.disk, web?.['disk-quota'])),
    timeoutMs: settings.timeout,
    network: settings.network,
    cache: cacheOf(config),
    reuse: settings.reuse === true,
    keep: settings.keep,
    ignoreStyle: settings.ignoreStyle,
    trace: settings.trace === true,
    ...(settings.buildpackApi !== undefined && { buildpackApi: settings.buildpackApi }),
    ...(settings.compression !== undefined && { compression: parseCompression(settings.compression) }),
    ...(settings.reproducible === true && { sourceDateEpoch: config.sourceDateEpoch }),
    ...(settings.output !== undefined && { output: settings.output }),
    ...(settings.cfStack !== undefined && { cfStack: settings.cfStack }),
    ...lockOf(config, app),
    ...launchOf(app),
  };
}

function cacheOf({ settings }: Config): StageRequest['cache'] {
  if (settings.noCache === true && settings.clearCache === true) {
    throw new StagerError('USAGE', '--no-cache and --clear-cache exclude each other', {
      next: 'Use --clear-cache to start anew and keep what comes of it, --no-cache to keep nothing.',
    });
  }
  return settings.noCache === true ? 'none' : settings.clearCache === true ? 'clear' : 'use';
}

function packageSource(text: string): { readonly kind: 'package'; readonly guid: Guid } {
  const guid = parseGuid(text);
  if (guid !== undefined) return { kind: 'package', guid };
  throw new StagerError('USAGE', `--package ${JSON.stringify(text)} is no guid`, {
    next: 'Give the guid that stager package create printed.',
  });
}

function lockOf({ settings }: Config, app: NamedApp | undefined): Pick<StageRequest, 'lock'> {
  if (settings.lock === true && settings.frozen === true) {
    throw new StagerError('USAGE', '--lock and --frozen exclude each other', {
      next: 'Use --lock to write stager.lock, --frozen to be held to it.',
    });
  }
  if (settings.lock !== true && settings.frozen !== true) return {};
  const mode = settings.frozen === true ? 'frozen' : 'write';
  return { lock: { path: resolve('stager.lock'), mode, ...(app !== undefined && { app: app.name }) } };
}

function manifestBuildpacks(app: NamedApp | undefined): readonly string[] | undefined {
  if (app?.buildpacks !== undefined) return app.buildpacks ?? [];
  const one = app?.buildpack;
  if (one === undefined) return undefined;
  return one === null ? [] : orDetect([one]);
}

/** As for cf push, `default` and `null` are no names: they bring detect back. */
function orDetect(names: readonly string[]): readonly string[] {
  return names[0] === 'default' || names[0] === 'null' ? [] : names;
}

/** Keys of the application are those of its web process, unless `processes` has an entry for that. */
function webOf(app: NamedApp | undefined): Pick<NamedApp, 'command' | 'memory' | 'disk-quota'> | undefined {
  return app?.processes?.find(({ type }) => type === 'web') ?? app;
}

/** A manifest says what the app runs with; building it takes more, so that only raises what a staging gets. */
function atLeast(least: number, wished: number | undefined): number | undefined {
  return wished === undefined ? undefined : Math.max(least, wished);
}

/** As text, and null as the empty one; lists and maps, which Cloud Controller writes in Ruby's notation, as JSON. */
function manifestEnv(app: NamedApp | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(app?.env ?? {}).map(([name, value]) => {
      if (value === null) return [name, ''];
      return [name, typeof value === 'object' ? JSON.stringify(value) : String(value)];
    }),
  );
}

function launchOf(app: NamedApp | undefined): Pick<StageRequest, 'launch'> {
  if (app === undefined) return {};
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
  const hasChecks = Object.keys(healthChecks).length > 0;
  if (Object.keys(commands).length === 0 && sidecars.length === 0 && !hasChecks) return {};
  return { launch: { commands, sidecars, ...(hasChecks && { healthChecks }) } };
}

/** Undefined when the manifest says nothing of it. Its times are seconds. */
function healthCheckOf(process: Instance & { readonly type: string }): HealthCheckWish | undefined {
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

/** Services that the manifest names and `--services` says nothing of. */
function unboundServices(app: NamedApp | undefined, services: Services): readonly string[] {
  const known = new Set(
    Object.values(services)
      .flat()
      .flatMap((binding) => [binding.name, binding['instance_name']]),
  );
  const names = (app?.services ?? []).map((service) =>
    typeof service === 'string' ? service : service.name,
  );
  return names
    .filter((name) => !known.has(name))
    .map(
      (name) =>
        `service ${name} of application ${app?.name ?? ''} is not in the --services document: it is not bound`,
    );
}
