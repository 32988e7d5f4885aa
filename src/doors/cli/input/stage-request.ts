/** Settings (and an app of a manifest) → StageRequest. */
import { resolve } from 'node:path';
import type { Config } from '../../../config/load.ts';
import { parseCompression } from '../../../staging/droplet/pack/compression.ts';
import type { NamedApp } from '../../../staging/manifest/read.ts';
import { manifestWishes, orDetect, unboundServices } from '../../../staging/manifest/wishes.ts';
import {
  appIdentity,
  bundleWishes,
  readEnv,
  readServices,
  type StageRequest,
} from '../../../staging/request/request.ts';
import { checkVariables } from '../../../staging/vcap/names.ts';
import { StagerError } from '../../../words/errors.ts';
import { type Guid, parseGuid } from '../../../words/ids.ts';

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
  const wishes = app === undefined ? undefined : manifestWishes(app);
  const pick = <T>(key: string, own: T, manifest: T | undefined): T =>
    manifest === undefined || config.given.has(key) ? own : manifest;
  const env = { ...wishes?.env, ...(await readEnv(settings.env ?? [], settings.envFile)) };
  const services = await readServices(settings.services);
  checkVariables(env, 'the environment of the app');
  return {
    source:
      settings.package === undefined
        ? { kind: 'path', path: target.source }
        : packageSource(settings.package),
    app: await appIdentity(target.source, app?.name ?? settings.appName),
    buildpacks: pick('buildpacks', orDetect(settings.buildpacks ?? []), wishes?.buildpacks),
    stack: pick('stack', settings.stack, wishes?.stack),
    env,
    services,
    notes: [...(target.notes ?? []), ...(app === undefined ? [] : unboundServices(app, services))],
    memoryMb: pick('memory', settings.memory, atLeast(settings.memory, wishes?.memoryMb)),
    diskMb: pick('disk', settings.disk, atLeast(settings.disk, wishes?.diskMb)),
    timeoutMs: settings.timeout,
    network: settings.network,
    cache: cacheOf(config),
    reuse: settings.reuse === true,
    keep: settings.keep,
    ignoreStyle: settings.ignoreStyle,
    trace: settings.trace === true,
    smoke: settings.smoke === true,
    ...(settings.buildpackApi !== undefined && { buildpackApi: settings.buildpackApi }),
    ...(settings.compression !== undefined && { compression: parseCompression(settings.compression) }),
    ...(settings.reproducible === true && { sourceDateEpoch: config.sourceDateEpoch }),
    ...(settings.output !== undefined && { output: settings.output }),
    ...(settings.cfStack !== undefined && { cfStack: settings.cfStack }),
    ...bundleOf(config),
    ...lockOf(config, app),
    ...(wishes?.launch !== undefined && { launch: wishes.launch }),
  };
}

function cacheOf({ settings }: Config): StageRequest['cache'] {
  if (settings.noCache === true && settings.clearCache === true) {
    throw new StagerError('USAGE', '--no-cache and --clear-cache cannot be used together', {
      next: 'Use --clear-cache to start over and keep the new cache, or --no-cache to keep nothing.',
    });
  }
  return settings.noCache === true ? 'none' : settings.clearCache === true ? 'clear' : 'use';
}

function bundleOf({ settings, given }: Config): Partial<StageRequest> {
  const { recordDependencies, offline } = settings;
  const refuse = (other: string, next: string): StagerError =>
    new StagerError(
      'USAGE',
      `${offline === undefined ? '--record-dependencies' : '--offline'} and ${other} cannot be used together`,
      { next },
    );
  if (offline === undefined && recordDependencies === undefined) return {};
  if (offline !== undefined && recordDependencies !== undefined)
    throw refuse('--record-dependencies', 'Record where there is a network, then stage from it.');
  if (settings.reuse === true) throw refuse('--reuse', 'Leave out --reuse: nothing would be staged.');
  if (settings.noCache === true || settings.clearCache === true)
    throw refuse('--no-cache or --clear-cache', 'Leave them out: the bundle takes the place of the cache.');
  if (offline !== undefined && given.has('network') && settings.network !== 'none')
    throw refuse(`--network ${settings.network}`, 'Leave out --network: scripts have none.');
  return bundleWishes(
    offline === undefined
      ? { mode: 'record', dir: recordDependencies ?? '' }
      : { mode: 'offline', dir: offline },
  );
}

function packageSource(text: string): { readonly kind: 'package'; readonly guid: Guid } {
  const guid = parseGuid(text);
  if (guid !== undefined) return { kind: 'package', guid };
  throw new StagerError('USAGE', `--package ${JSON.stringify(text)} is not a guid`, {
    next: 'Give the guid that stager package create printed.',
  });
}

function lockOf({ settings }: Config, app: NamedApp | undefined): Pick<StageRequest, 'lock'> {
  if (settings.lock === true && settings.frozen === true) {
    throw new StagerError('USAGE', '--lock and --frozen cannot be used together', {
      next: 'Use --lock to write stager.lock, or --frozen to use exactly what it names.',
    });
  }
  if (settings.lock !== true && settings.frozen !== true) return {};
  const mode = settings.frozen === true ? 'frozen' : 'write';
  return { lock: { path: resolve('stager.lock'), mode, ...(app !== undefined && { app: app.name }) } };
}

/** A manifest says what the app runs with; building it takes more, so that only raises what a staging gets. */
function atLeast(least: number, wished: number | undefined): number | undefined {
  return wished === undefined ? undefined : Math.max(least, wished);
}
