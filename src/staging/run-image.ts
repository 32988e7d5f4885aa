/**
 * Runs a container image in the sandbox. Its layers are unpacked once, as a stack that is named after the image's
 * digest, so images and stacks share one store. What an image may write (home directories, its working directory,
 * its volumes) is copied for each run; everything else is read only.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { copyTree } from '../machine/host/copy-tree.ts';
import { InsideView } from '../machine/sandbox/child/inside-view.ts';
import { type NetworkKind, networkFor, type WantedNetwork } from '../machine/sandbox/port/network.ts';
import { MAX_FILES, type Mount, type Sandbox, type SandboxSpec } from '../machine/sandbox/port/sandbox.ts';
import type { ResolvedStack, StackStore } from '../machine/stack/store.ts';
import type { RegistryClient } from '../stores/registry/client.ts';
import { type ImageDocuments, MEDIA, type RunConfig } from '../stores/registry/documents.ts';
import { readLayout, writeLayout } from '../stores/registry/layout.ts';
import { parseImageReference } from '../stores/registry/reference.ts';
import type { Clock } from '../words/clock.ts';
import { isStagerError, StagerError } from '../words/errors.ts';
import { newGuid } from '../words/ids.ts';
import { MEBIBYTE } from '../words/units.ts';
import { isLayout } from './image/bases.ts';
import { type EmitRun, processSource, taskSource } from './launch/events.ts';
import { completeHealthCheck, type HealthCheck } from './launch/health.ts';
import { Instance } from './launch/instance.ts';
import { choosePort } from './launch/port.ts';
import { hostProbe, publishedProbe } from './launch/probe.ts';
import { type DropletRun, supervise } from './launch/supervise.ts';
import { DEFAULT_FDS } from './vcap/application.ts';
import { createWorkspace, sweepWorkspaces } from './workspace/workspace.ts';

/** What to run. Sizes in MiB. */
export interface ImageRunWish {
  /** A name, or the directory of an OCI layout. */
  readonly image: string;
  /** Process type of an image that has several. */
  readonly process?: string;
  /** Instead of the image's own command. */
  readonly command: readonly string[];
  readonly port?: number;
  readonly env: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly network: WantedNetwork;
  readonly healthCheck?: HealthCheck;
}

/** What it is run with. */
export interface ImageRunPorts {
  readonly sandbox: Sandbox;
  readonly workspaces: string;
  readonly stacks: StackStore;
  readonly client: RegistryClient;
  readonly clock: Clock;
}

const PIDS = 1024;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Fetches, unpacks and starts. @throws StagerError those of registries and stacks, NO_START_COMMAND, PORT_IN_USE. */
export async function startImage(
  wish: ImageRunWish,
  ports: ImageRunPorts,
  io: { readonly signal: AbortSignal; readonly emit: EmitRun },
): Promise<DropletRun> {
  await sweepWorkspaces(ports.workspaces);
  const { kind: network, warning } = networkFor(wish.network, ports.sandbox);
  const at = new Date(ports.clock.now()).toISOString();
  if (warning !== undefined) io.emit({ type: 'warning', at, code: 'network-shared', message: warning });
  const own = await ports.sandbox.apart?.(network === 'egress' ? { egress: 'running' } : {});
  const sandbox = own ?? ports.sandbox;
  const workspace = await createWorkspace({
    parent: ports.workspaces,
    owner: sandbox.owner,
    rootMode: 0o711,
  }).catch(async (error: unknown) => {
    await own?.[Symbol.asyncDispose]();
    throw error;
  });
  const release = async (): Promise<void> => {
    await workspace.release({ keep: 'never', failed: false });
    await own?.[Symbol.asyncDispose]();
  };
  try {
    const { documents, stack } = await unpacked(wish.image, join(workspace.root, 'image'), {
      ...ports,
      signal: io.signal,
    });
    const rootfs = stack.rootfs.kind === 'directory' ? stack.rootfs.path : '/';
    const config = documents.config.config ?? {};
    const writable = await copies(config, rootfs, {
      to: join(workspace.root, 'run'),
      sandbox,
      signal: io.signal,
    });
    const started = await start(
      wish,
      { config, stack, writable, network, root: join(workspace.root, 'run') },
      { ...ports, sandbox, ...io },
    );
    const done = started.done.finally(release);
    done.catch(() => undefined);
    return { ...started, done };
  } catch (error) {
    await release().catch(() => undefined);
    throw error;
  }
}

/** The image's file system, unpacked before or now. */
async function unpacked(
  image: string,
  temp: string,
  { client, stacks, signal }: Pick<ImageRunPorts, 'client' | 'stacks'> & { readonly signal: AbortSignal },
): Promise<{ readonly documents: ImageDocuments; readonly stack: ResolvedStack }> {
  const local = await isLayout(image);
  const reference = local ? undefined : parseImageReference(image);
  const documents = reference === undefined ? await readLayout(image) : await client.image(reference);
  const name = `image-${documents.digest.slice('sha256:'.length, 'sha256:'.length + 24)}`;
  const known = await stacks.resolve(name, signal).catch((error: unknown) => {
    if (isStagerError(error, 'STACK_NOT_FOUND', 'STACK_INVALID')) return undefined;
    throw error;
  });
  if (known !== undefined) return { documents, stack: known };
  if (reference === undefined) await stacks.add(name, image, { signal });
  else {
    const { manifest, configText } = documents;
    const blobs = [manifest.config, ...manifest.layers].map((descriptor) => ({
      descriptor,
      open: async () => await client.blob(reference, descriptor),
    }));
    const text = Buffer.from(JSON.stringify(manifest));
    await writeLayout(temp, { manifest: text, mediaType: MEDIA.manifest, blobs }, signal);
    if (configText.length !== manifest.config.size) throw new Error('a configuration was checked');
    await stacks.add(name, temp, { signal });
  }
  return { documents, stack: await stacks.resolve(name, signal) };
}

/** Directories of the image that a run may write to, as copies of its own. */
async function copies(
  config: RunConfig,
  rootfs: string,
  { to, sandbox, signal }: { readonly to: string; readonly sandbox: Sandbox; readonly signal: AbortSignal },
): Promise<readonly Mount[]> {
  const wanted = ['/home', '/root', config.WorkingDir ?? '/', ...Object.keys(config.Volumes ?? {})]
    .map((path) => path.replace(/\/+$/, ''))
    .filter(
      (path) =>
        /^\/[^/]/.test(path) &&
        !/^\/(proc|sys|dev|etc|tmp|run)(\/|$)/.test(path) &&
        !path.split('/').includes('..'),
    )
    .sort();
  const tops = wanted.filter(
    (path) => !wanted.some((other) => other !== path && path.startsWith(`${other}/`)),
  );
  const view = new InsideView(rootfs, []);
  await mkdir(to, { mode: 0o711 });
  const mounts: Mount[] = [];
  for (const [index, path] of [...new Set(tops)].entries()) {
    const found = await view.resolve(path);
    if ('missing' in found || !found.stats.isDirectory()) continue;
    const source = join(to, String(index));
    await copyTree(found.host, source, { signal, owner: sandbox.owner });
    mounts.push({ source, target: found.inside, writable: true });
  }
  const tmp = join(to, 'tmp');
  await copyTree(await emptyAt(join(to, 'empty')), tmp, { signal, owner: sandbox.owner });
  return [...mounts, { source: tmp, target: '/tmp', writable: true }];
}

async function emptyAt(path: string): Promise<string> {
  await mkdir(path, { mode: 0o755 });
  return path;
}

interface Unpacked {
  readonly config: RunConfig;
  readonly stack: ResolvedStack;
  readonly writable: readonly Mount[];
  readonly network: NetworkKind;
  readonly root: string;
}

async function start(
  wish: ImageRunWish,
  image: Unpacked,
  ports: ImageRunPorts & { readonly signal: AbortSignal; readonly emit: EmitRun },
): Promise<DropletRun> {
  const task = wish.command.length > 0;
  const words = await wordsOf(wish, image);
  const port = task ? undefined : await choosePort(wish.port ?? exposedPort(image.config), image.network);
  const own = image.network === 'egress' ? ports.sandbox.ownNetwork : undefined;
  if (port !== undefined) await own?.publish(port, 'loopback');
  const guid = newGuid();
  const source = task ? taskSource('run') : processSource(wish.process ?? 'web');
  const at = new Date(ports.clock.now()).toISOString();
  if (/^(|0|root)(:.*)?$/.test(image.config.User ?? '')) {
    const message = 'the image wants to run as root; here it runs as uid 2000';
    ports.emit({ type: 'warning', at, code: 'image-user', message });
  }
  ports.emit({
    type: 'run-started',
    at,
    source,
    command: words.join(' '),
    ...(port !== undefined && { port }),
  });
  const main = new Instance(source, specOf(wish, image, { words, guid, port }), {
    ...ports,
    redact: (text) => text,
  });
  const hasPorts = Object.keys(image.config.ExposedPorts ?? {}).length > 0;
  const check = completeHealthCheck(hasPorts && image.network !== 'none' ? 'web' : 'other', wish.healthCheck);
  return supervise({
    main,
    sidecars: [],
    ...(port !== undefined && {
      health: { check, port, probe: own === undefined ? hostProbe : publishedProbe(own) },
    }),
    clock: ports.clock,
    signal: ports.signal,
    emit: ports.emit,
  });
}

/** Entrypoint and command; looked up on the PATH by the image's own shell. */
async function wordsOf(wish: ImageRunWish, { config, stack }: Unpacked): Promise<readonly string[]> {
  const entrypoint =
    wish.process === undefined ? (config.Entrypoint ?? []) : [await processLink(wish, stack)];
  const words = [...entrypoint, ...(wish.command.length > 0 ? wish.command : (config.Cmd ?? []))];
  if (words.length > 0) return words;
  throw new StagerError('NO_START_COMMAND', `${wish.image} has neither an entrypoint nor a command`, {
    next: 'Give a command after --.',
  });
}

async function processLink(
  { process = 'web', image }: ImageRunWish,
  { rootfs }: ResolvedStack,
): Promise<string> {
  const view = new InsideView(rootfs.kind === 'directory' ? rootfs.path : '/', []);
  for (const place of ['/lifecycle/process', '/cnb/process']) {
    if (/^[A-Za-z0-9._-]+$/.test(process) && 'stats' in (await view.resolve(`${place}/${process}`)))
      return `${place}/${process}`;
  }
  throw new StagerError('NO_START_COMMAND', `${image} has no process type ${process}`, {
    next: 'Leave out --process, or give a command after --.',
  });
}

/** Images of ours listen where PORT says; others where they say themselves. */
function exposedPort({ Labels: labels, ExposedPorts: exposed }: RunConfig): number | undefined {
  if (Object.keys(labels ?? {}).some((name) => /^io\.(stager|buildpacks)\./.test(name))) return undefined;
  const [first] = Object.keys(exposed ?? {});
  const port = Number(/^\d+/.exec(first ?? '')?.[0] ?? Number.NaN);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

function specOf(
  wish: ImageRunWish,
  { config, stack, writable, root, network }: Unpacked,
  {
    words,
    guid,
    port,
  }: { readonly words: readonly string[]; readonly guid: string; readonly port: number | undefined },
): SandboxSpec {
  const own = (config.Env ?? []).map((line): [string, string] => {
    const equals = line.indexOf('=');
    return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
  });
  return {
    owner: guid,
    argv: ['/bin/sh', '-c', 'exec "$@"', 'image', ...words],
    env: { PATH, ...Object.fromEntries(own), ...(port !== undefined && { PORT: String(port) }), ...wish.env },
    cwd: config.WorkingDir || '/',
    rootfs: stack.rootfs,
    mounts: writable,
    diskRoot: root,
    limits: {
      memoryBytes: wish.memoryMb * MEBIBYTE,
      pids: PIDS,
      diskBytes: wish.diskMb * MEBIBYTE,
      files: MAX_FILES,
      wallMs: Number.POSITIVE_INFINITY,
      openFiles: DEFAULT_FDS,
    },
    network,
  };
}
