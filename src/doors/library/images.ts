/** Container images for the library: what `stager image`, `stage --docker-image` and `run --image` do. */
import { resolve } from 'node:path';
import { openStager } from '../../compose.ts';
import { ownVersion } from '../../machine/host/own-package.ts';
import { type BuiltImage, type ImageDestination, packImage } from '../../staging/build-image.ts';
import { type InspectedImage, imageFacts } from '../../staging/inspect-image.ts';
import type { RunResult } from '../../staging/launch/supervise.ts';
import { moveToBase } from '../../staging/rebase-image.ts';
import { checkLimits } from '../../staging/request/request.ts';
import { startImage } from '../../staging/run-image.ts';
import { parseImageReference } from '../../stores/registry/reference.ts';
import { type CommonOptions, configOf, envOf } from './options.ts';
import { loginTo, type RegistryOptions } from './registry-options.ts';
import type { RunOptions } from './run-droplet.ts';
import { demandOneTarget, openRun, type RunHandle, type RunIo, type RunTargetOptions } from './run-handle.ts';

/** Options of `buildImage`. */
export interface ImageOptions extends CommonOptions, RegistryOptions {
  /** Its name: `REGISTRY/REPOSITORY:TAG`. */
  readonly tag: string;
  readonly to: ImageDestination;
  /** As for `runDroplet`. */
  readonly droplet?: string;
  /** An image, the directory of an OCI layout, `stack`, `stack:NAME` or `scratch`; default `stack`. */
  readonly base?: string;
  /** Process type that the image starts; default: that of the buildpacks, or `web`. */
  readonly process?: string;
  /** Of Cloud Native Buildpacks: other names of the base. */
  readonly baseMirrors?: readonly string[];
  /** Of Cloud Native Buildpacks: the reference lifecycle's launcher; default: a script with its rules. */
  readonly launcher?: string;
  /** Times in the image, in seconds since the epoch; default 0. */
  readonly sourceDateEpoch?: number;
}

/** Makes an image of a droplet. @throws StagerError USAGE, DROPLET_*, NO_START_COMMAND, REGISTRY_*, IMAGE_*, CANCELLED. */
export async function buildImage(options: ImageOptions): Promise<BuiltImage> {
  const { tag, to, droplet, base, process, baseMirrors, launcher, sourceDateEpoch = 0 } = options;
  const target = parseImageReference(tag);
  const signal = signalOf(options);
  await using stager = openStager(await configOf(options));
  const client = await stager.registryClient(signal, loginTo(target, options));
  const ports = { ...(await stager.imagePorts(signal)), client };
  const wish = {
    target,
    to: absolute(to),
    sourceDateEpoch,
    version: ownVersion(),
    ...(droplet !== undefined && { droplet }),
    ...(base !== undefined && { base }),
    ...(process !== undefined && { process }),
    ...(baseMirrors !== undefined && { mirrors: baseMirrors }),
    ...(launcher !== undefined && { launcher: resolve(launcher) }),
  };
  return await packImage(wish, ports, { signal });
}

/** Options of `rebaseImage`. */
export interface RebaseOptions extends CommonOptions, RegistryOptions {
  /** The image, or the directory of an OCI layout. */
  readonly image: string;
  /** The new base: an image, or the directory of an OCI layout. */
  readonly base: string;
  /** Name of the new image; default: that of the old one. */
  readonly tag?: string;
  /** Default: it is pushed. */
  readonly to?: ImageDestination;
  /** Default 0. */
  readonly sourceDateEpoch?: number;
  /** Of Cloud Native Buildpacks: even if the base is not one that the image names or fits. */
  readonly force?: boolean;
}

/** Puts an image on a newer base; no layer of its own is touched. @throws StagerError USAGE, REGISTRY_*, IMAGE_*. */
export async function rebaseImage(options: RebaseOptions): Promise<BuiltImage> {
  const { image, base, tag = image, to = { kind: 'push' }, sourceDateEpoch = 0, force = false } = options;
  const target = parseImageReference(tag);
  const signal = signalOf(options);
  await using stager = openStager(await configOf(options));
  const client = await stager.registryClient(signal, loginTo(target, options));
  const wish = { image, base, target, to: absolute(to), sourceDateEpoch, force };
  return await moveToBase(wish, { client, clock: stager.clock, signal });
}

/** Options of `inspectImage`. */
export interface InspectOptions extends Pick<CommonOptions, 'home' | 'caFile' | 'signal'>, RegistryOptions {
  readonly image: string;
}

/** Looks at an image as Cloud Foundry's docker lifecycle does. @throws StagerError USAGE, REGISTRY_*, IMAGE_*. */
export async function inspectImage(options: InspectOptions): Promise<InspectedImage> {
  const reference = parseImageReference(options.image);
  await using stager = openStager(await configOf(options));
  const client = await stager.registryClient(signalOf(options), loginTo(reference, options));
  return await imageFacts(options.image, client);
}

/** Options of `runImage`. Sizes in MiB. */
export type RunImageOptions = CommonOptions &
  RegistryOptions &
  RunTargetOptions &
  Pick<RunOptions, 'env' | 'envFile' | 'port' | 'memoryMb' | 'diskMb' | 'healthCheck' | 'onEvent'> & {
    /** A name, or the directory of an OCI layout. */
    readonly image: string;
  };

/** Starts a container image. Failures (IMAGE_*, REGISTRY_*, NO_START_COMMAND …) reject `ready` and `result`. */
export function runImage(options: RunImageOptions): RunHandle {
  return openRun(options, (io) => runWith(options, io));
}

async function runWith(options: RunImageOptions, io: RunIo): Promise<RunResult> {
  demandOneTarget(options);
  const config = await configOf(options);
  const { memoryMb = config.settings.memory, diskMb = config.settings.disk } = options;
  checkLimits({ memoryMb, diskMb });
  const { image, process, command = [], port, healthCheck } = options;
  const wish = {
    image,
    command,
    env: await envOf(options),
    memoryMb,
    diskMb,
    network: config.settings.network,
    ...(process !== undefined && { process }),
    ...(port !== undefined && { port }),
    ...(healthCheck !== undefined && { healthCheck }),
  };
  await using stager = openStager(config);
  const login = options.registryLogin === undefined ? {} : loginTo(parseImageReference(image), options);
  const client = await stager.registryClient(io.signal, login);
  const { sandbox, workspaces } = await stager.runPorts(io.signal);
  const ports = { sandbox, workspaces, client, stacks: stager.stacks, clock: stager.clock };
  const started = await startImage(wish, ports, io);
  io.started(started);
  return await started.done;
}

function absolute(to: ImageDestination): ImageDestination {
  switch (to.kind) {
    case 'push':
      return to;
    case 'tar':
      return { ...to, file: resolve(to.file) };
    case 'layout':
      return { ...to, directory: resolve(to.directory) };
  }
}

function signalOf({ signal }: Pick<CommonOptions, 'signal'>): AbortSignal {
  return signal ?? new AbortController().signal;
}
