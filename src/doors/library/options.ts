/**
 * Options of the library → the same configuration and requests that the command line makes. Nothing is read from
 * the environment unless the caller hands it over (`env`).
 */

import { resolve } from 'node:path';
import { type Config, loadConfig } from '../../config/load.ts';
import type { WantedNetwork } from '../../machine/sandbox/port/network.ts';
import { parseCompression } from '../../staging/droplet/pack/compression.ts';
import {
  appIdentity,
  bundleWishes,
  checkLimits,
  readEnv,
  type StageRequest,
} from '../../staging/request/request.ts';
import { checkVariables } from '../../staging/vcap/names.ts';
import { parseServices, type Services } from '../../staging/vcap/services.ts';
import { StagerError } from '../../words/errors.ts';
import type { BuildEvent } from '../../words/events.ts';
import { parseGuid } from '../../words/ids.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import type { RegistryOptions } from './registry-options.ts';

/** Where things are kept and what runs foreign code: shared by every call with the same values. */
export interface CommonOptions {
  /** Data home; default `$XDG_DATA_HOME/stager` as for the command line. */
  readonly home?: string;
  /** A directory, `file:///…` or `s3://bucket/prefix?…`; default below the data home. */
  readonly blobstore?: string;
  /** Default `auto`: an OCI runtime, never silently `none`. */
  readonly sandbox?: 'auto' | 'oci' | 'process' | 'none';
  /** Path of the OCI runtime to use. */
  readonly runtime?: string;
  /** Default `host`. */
  readonly stack?: string;
  /** What holds the disk limit; default `auto`: a file system image where it is available. */
  readonly diskBound?: 'auto' | 'image' | 'tmpfs' | 'watch';
  /** How the app gets into the workspace; default `auto`: above the files of its last staging where that is faster. */
  readonly workspace?: 'auto' | 'overlay' | 'copy';
  /** Leave the machine's cgroups mounted as they are, see `--leave-cgroup-mounts`; default false. */
  readonly leaveCgroupMounts?: boolean;
  /** Default `auto`. */
  readonly network?: WantedNetwork;
  /** File of rules for what may leave a network of its own; in a run for that as well. */
  readonly egressRules?: string;
  /** The same for what runs, `smoke` included; default: `egressRules`. */
  readonly runEgressRules?: string;
  /** `host:port` that may be reached besides. */
  readonly allowHosts?: readonly string[];
  /** PEM file with extra certificate authorities. */
  readonly caFile?: string;
  readonly signal?: AbortSignal;
}

/** What is staged: a source, or a package that is stored. */
export type SourceOptions =
  | {
      /** Directory or archive; default `.`. */
      readonly source?: string;
      readonly package?: never;
    }
  | {
      /** Guid of a stored package. */
      readonly package: string;
      readonly source?: never;
    };

/** Options of `stage`. Sizes in MiB, times in milliseconds. */
export type StageOptions = CommonOptions & SourceOptions & StagingOptions;

/** A stager server, and where on it. */
export interface StagingServer {
  /** Address that `stager serve` printed. */
  readonly url: string;
  /** Default: that of `stager login`. */
  readonly token?: string;
  /** Name of the organization; default: that of the only space that there is. */
  readonly org?: string;
  /** Name of the space; default: the only one that there is. */
  readonly space?: string;
}

/** How an app is staged. Sizes in MiB, times in milliseconds. */
export interface StagingOptions {
  /** References in order, as for `--buildpack`; none: detect. */
  readonly buildpacks?: readonly string[];
  readonly buildpackApi?: 'cf' | 'heroku';
  /** What scripts see as CF_STACK; default: the name of the stack, `cflinuxfs4` for `host`. */
  readonly cfStack?: string;
  /** Name of the app; it keys the build cache. Default: the name of the source. */
  readonly appName?: string;
  /** Variables of the app. */
  readonly env?: Readonly<Record<string, string>>;
  /** File of `K=V` lines; `env` wins over it. */
  readonly envFile?: string;
  /** Let this server stage. What it decides by itself (`sandbox`, `network`, `lock` …) is refused then. */
  readonly server?: StagingServer;
  /** A VCAP_SERVICES document, as JSON text or as the object. */
  readonly services?: string | Services;
  /** Default 1024. */
  readonly memoryMb?: number;
  /** Default 4096. */
  readonly diskMb?: number;
  /** Default 15 minutes, for all scripts together. */
  readonly timeoutMs?: number;
  /** Default `use`. */
  readonly cache?: 'use' | 'clear' | 'none';
  /** A directory with all that a staging fetched: `record` it, or stage from it without a network (`offline`). */
  readonly bundle?: { readonly mode: 'record' | 'offline'; readonly dir: string };
  /** `gzip:1-9`, `zstd[:level]` or `none`. */
  readonly compression?: string;
  /** Times of files in the droplet, in seconds since the epoch (`--reproducible`). */
  readonly sourceDateEpoch?: number;
  /** Return the droplet of an earlier staging with the same inputs. */
  readonly reuse?: boolean;
  readonly keep?: 'never' | 'failed' | 'always';
  readonly ignoreStyle?: 'cf' | 'git';
  /** Also write the droplet to this file. */
  readonly output?: string;
  /** Write Cloud Foundry's result.json with our record of the staging to this file, after a failure as well. */
  readonly result?: string;
  /** stager.lock: `write` it, or hold the buildpacks to it (`frozen`); docs/reuse.md. */
  readonly lock?: LockOptions;
  /** Trace shell buildpacks with `set -x`. */
  readonly trace?: boolean;
  /** Start the web process for its health check before the build counts as staged; docs/run.md. */
  readonly smoke?: boolean;
  /** Commands, sidecars and health checks that win over the droplet's own, as a manifest says them. */
  readonly launch?: LaunchWishes;
  /** Sentences about the request itself; each comes as a warning. */
  readonly notes?: readonly string[];
  /** Gets every event as it happens, beside or instead of the iterator. Must not throw. */
  readonly onEvent?: (event: BuildEvent) => void;
}

/** A file that names the buildpacks of a staging by digest. */
export interface LockOptions {
  readonly mode: 'write' | 'frozen';
  /** Default `stager.lock`. */
  readonly path?: string;
  /** The part of the file that belongs to this app, for one of several. */
  readonly app?: string;
}

/** What a manifest says about running. */
export type LaunchWishes = NonNullable<StagingRecord['launch']>;

/**
 * Configuration for a call: defaults under the options; only HOME, XDG_*, PATH and proxy variables count of the
 * process's environment, as facts of the machine.
 */
export async function configOf(
  options: CommonOptions & Pick<RegistryOptions, 'registryMirrors' | 'insecureRegistries'>,
): Promise<Config> {
  const { home, blobstore, sandbox, runtime, stack, network, caFile, diskBound, workspace } = options;
  const { leaveCgroupMounts } = options;
  const { egressRules, runEgressRules, allowHosts, registryMirrors, insecureRegistries } = options;
  const egress = { egressRules, runEgressRules, allowHosts };
  const registries = { registryMirrors, insecureRegistries };
  const machine = { home, blobstore, sandbox, runtime, stack, network, caFile, diskBound, workspace };
  return await loadConfig({
    flags: { ...machine, leaveCgroupMounts, ...egress, ...registries },
    machineOnly: true,
  });
}

/**
 * The request for a call.
 *
 * @throws StagerError CONFIG_INVALID, SERVICES_INVALID, USAGE.
 */
export async function requestOf(
  options: StageOptions,
  { settings }: Pick<Config, 'settings'>,
): Promise<StageRequest> {
  const path = resolve(options.source ?? '.');
  const env = await envOf(options);
  return {
    source: sourceOf(options, path),
    app: await appIdentity(path, options.appName),
    buildpacks: options.buildpacks ?? [],
    stack: settings.stack,
    network: settings.network,
    env,
    services: servicesOf(options.services),
    ...limitsOf(options, settings),
    cache: options.cache ?? 'use',
    reuse: options.reuse ?? false,
    keep: options.keep ?? settings.keep,
    ignoreStyle: options.ignoreStyle ?? settings.ignoreStyle,
    trace: options.trace ?? false,
    smoke: options.smoke ?? false,
    ...whatWasGiven(options),
    ...bundleWishes(options.bundle && { ...options.bundle, dir: resolve(options.bundle.dir) }),
  };
}

/** The file's variables under those that were given. @throws StagerError CONFIG_INVALID, ENV_NAME_REFUSED. */
export async function envOf({
  env: own,
  envFile,
}: Pick<StagingOptions, 'env' | 'envFile'>): Promise<Readonly<Record<string, string>>> {
  const env = { ...(await readEnv([], envFile)), ...own };
  checkVariables(env, 'env');
  return env;
}

function limitsOf(
  { memoryMb, diskMb, timeoutMs }: StagingOptions,
  { memory, disk, timeout }: Config['settings'],
): Pick<StageRequest, 'memoryMb' | 'diskMb' | 'timeoutMs'> {
  checkLimits({ memoryMb, diskMb, timeoutMs });
  return { memoryMb: memoryMb ?? memory, diskMb: diskMb ?? disk, timeoutMs: timeoutMs ?? timeout };
}

/** What has no default. */
function whatWasGiven(options: StagingOptions): Partial<StageRequest> {
  const { buildpackApi, cfStack, compression, sourceDateEpoch, output, launch, notes, lock } = options;
  return {
    ...(buildpackApi !== undefined && { buildpackApi }),
    ...(cfStack !== undefined && { cfStack }),
    ...(compression !== undefined && { compression: parseCompression(compression) }),
    ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
    ...(output !== undefined && { output: resolve(output) }),
    ...(launch !== undefined && { launch }),
    ...(notes !== undefined && { notes }),
    ...(lock !== undefined && { lock: lockOf(lock) }),
  };
}

function lockOf({ mode, path = 'stager.lock', app }: LockOptions): NonNullable<StageRequest['lock']> {
  return { mode, path: resolve(path), ...(app !== undefined && { app }) };
}

function sourceOf(options: StageOptions, path: string): StageRequest['source'] {
  if (options.package === undefined) return { kind: 'path', path };
  if (options.source !== undefined) {
    throw new StagerError('USAGE', '`source` and `package` cannot be used together', {
      next: 'Give the directory or archive of the app, or the guid of a package.',
    });
  }
  const guid = parseGuid(options.package);
  if (guid === undefined)
    throw new StagerError('USAGE', `package ${JSON.stringify(options.package)} is not a guid`, {
      next: 'Give the guid that `stager package create` printed.',
    });
  return { kind: 'package', guid };
}

/** The document as it was given, checked. @throws StagerError SERVICES_INVALID. */
export function servicesOf(services: string | Services | undefined): Services {
  if (services === undefined) return {};
  return parseServices(typeof services === 'string' ? services : JSON.stringify(services), 'services');
}
