/** A droplet becomes an OCI image: unpacked, packed again as layers, put on a base, and pushed or written where it should go. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { RegistryClient } from '../stores/registry/client.ts';
import { MEDIA, machineArch, type RunConfig } from '../stores/registry/documents.ts';
import { type LayoutImage, writeLayout, writeLayoutTar } from '../stores/registry/layout.ts';
import { type BlobToPush, type PushSummary, pushImage } from '../stores/registry/push.ts';
import { formatReference, type ImageReference } from '../stores/registry/reference.ts';
import { StagerError } from '../words/errors.ts';
import { resultSidecars } from '../words/result.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { type ImageBase, namedImage, stackBase } from './image/bases.ts';
import { dropletLayers, type ImageProcesses } from './image/image-layers.ts';
import {
  type ImageLayer,
  type ImageTexts,
  imageTexts,
  type PackingPlace,
  packLayer,
} from './image/image-parts.ts';
import { demandApp } from './launch/layout.ts';
import { locateDroplet } from './launch/locate.ts';
import { readLaunchInfo } from './launch/staging-info.ts';
import { type RunDropletPorts, recordOfDroplet, unpackDroplet } from './run-droplet.ts';
import { createWorkspace, sweepWorkspaces } from './workspace/workspace.ts';

/** Where an image goes: to its registry, or into a file or directory in the OCI layout. */
export type ImageDestination =
  | { readonly kind: 'push' }
  | { readonly kind: 'tar'; readonly file: string }
  | { readonly kind: 'layout'; readonly directory: string };

/** What to make. */
export interface ImageWish {
  /** As for `stager run`. */
  readonly droplet?: string;
  readonly target: ImageReference;
  /** An image, a layout's directory, `stack`, `stack:NAME` or `scratch`; absent: `stack`. */
  readonly base?: string;
  readonly to: ImageDestination;
  /** Seconds; 0 is 1980. */
  readonly sourceDateEpoch: number;
  readonly version: string;
}

/** What it is made with. */
export interface ImagePorts extends RunDropletPorts {
  readonly client: RegistryClient;
  readonly memberCache: string;
}

/** What was made. */
export interface BuiltImage {
  readonly name: string;
  readonly digest: string;
  readonly layers: readonly { readonly title: string; readonly digest: string; readonly size: number }[];
  readonly pushed?: PushSummary;
}

/** Builds, and hands the image over. @throws StagerError USAGE, NO_START_COMMAND, DROPLET_INVALID and those of registries. */
export async function packImage(
  wish: ImageWish,
  ports: ImagePorts,
  { signal }: { readonly signal: AbortSignal },
): Promise<BuiltImage> {
  await sweepWorkspaces(ports.workspaces);
  const located = await locateDroplet(wish.droplet, ports.records);
  const record = await recordOfDroplet(located, ports);
  const workspace = await createWorkspace({ parent: ports.workspaces });
  try {
    const home = join(workspace.root, 'droplet');
    const spool = join(workspace.root, 'layers');
    await mkdir(spool);
    const place: PackingPlace = { spool, memberCache: ports.memberCache, signal };
    const parts = { place: located.place, ...(record !== undefined && { record }) };
    await unpackDroplet(parts, home, { ports, signal });
    await demandApp(home);
    const processes = await processesOf(home, record);
    const base = await baseOf(wish, { record, ports, place });
    const layers: ImageLayer[] = [...base.layers];
    const plans = await dropletLayers(home, processes);
    for (const plan of plans) layers.push(await packLayer(plan, layers.length, place));
    const run = runConfig({ wish, record, base, processes });
    const texts = imageTexts({
      ...(base.config !== undefined && { base: base.config }),
      architecture: machineArch(),
      created: createdAt(wish.sourceDateEpoch),
      run,
      layers,
      baseLayers: base.layers.length,
    });
    return await handOver(wish, { texts, layers }, { ...ports, signal });
  } finally {
    await workspace.release({ keep: 'never', failed: false });
  }
}

async function baseOf(
  { base = 'stack' }: ImageWish,
  {
    record,
    ports,
    place,
  }: { readonly record: StagingRecord | undefined; readonly ports: ImagePorts; readonly place: PackingPlace },
): Promise<ImageBase> {
  if (base === 'scratch') return { name: 'scratch', layers: [] };
  const stack = base === 'stack' ? (record?.stack ?? 'host') : /^stack:(.+)$/.exec(base)?.[1];
  if (stack === undefined) return await namedImage(base, ports.client);
  return await stackBase({ ...(await ports.stack(stack)), name: stack }, place);
}

/** Commands by type: a manifest's over the droplet's own, and staging_info.yml for a droplet that nobody recorded. */
async function processesOf(home: string, record: StagingRecord | undefined): Promise<ImageProcesses> {
  const { startCommand, entrypointPrefix } = await readLaunchInfo(home);
  const commands = {
    ...(startCommand !== undefined && { web: startCommand }),
    ...record?.result.process_types,
    ...record?.launch?.commands,
  };
  const named = Object.entries(commands).filter(([, command]) => command.trim() !== '');
  for (const [type] of named) {
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(type)) {
      throw new StagerError(
        'DROPLET_INVALID',
        `the process type ${JSON.stringify(type)} can't be the name of a file`,
        {
          next: 'Give it a name of letters, digits, dots, dashes and underscores.',
        },
      );
    }
  }
  return {
    commands: Object.fromEntries(named),
    sidecars: [...resultSidecars(record?.result), ...(record?.launch?.sidecars ?? [])],
    ...(entrypointPrefix !== undefined && { entrypointPrefix }),
  };
}

interface ConfigInput {
  readonly wish: ImageWish;
  readonly record: StagingRecord | undefined;
  readonly base: ImageBase;
  readonly processes: ImageProcesses;
}

const PATH = '/usr/local/bin:/usr/bin:/bin';

function runConfig({ wish, record, base, processes }: ConfigInput): RunConfig {
  const types = Object.keys(processes.commands).sort();
  const main = types.includes('web') ? 'web' : types[0];
  const own = base.config?.config ?? {};
  const inherited = new Map((own.Env ?? []).map((line): [string, string] => split(line)));
  const env = new Map([
    ...inherited,
    ['PATH', inherited.get('PATH') ?? PATH],
    ['LANG', inherited.get('LANG') ?? 'en_US.UTF-8'],
    ['USER', 'vcap'],
    ['HOME', '/home/vcap/app'],
    ['TMPDIR', '/home/vcap/tmp'],
    ['DEPS_DIR', '/home/vcap/deps'],
    ['PORT', '8080'],
  ]);
  return {
    User: '2000:2000',
    ExposedPorts: { '8080/tcp': {} },
    Env: [...env].map(([name, value]) => `${name}=${value}`),
    Entrypoint: [main === undefined ? '/lifecycle/launcher' : `/lifecycle/process/${main}`],
    WorkingDir: '/home/vcap/app',
    Labels: { ...own.Labels, ...labelsOf({ wish, record, base, processes }) },
  };
}

function labelsOf({ wish, record, base, processes }: ConfigInput): Record<string, string> {
  const buildpacks = record?.buildpacks.map(({ name, version, sha256 }) => ({ name, version, sha256 }));
  const top = base.layers.at(-1)?.diffId;
  return {
    'io.stager.version': wish.version,
    'io.stager.processes': JSON.stringify(processes.commands),
    ...(buildpacks !== undefined && { 'io.stager.buildpacks': JSON.stringify(buildpacks) }),
    ...(record !== undefined && {
      'io.stager.stack': record.stack,
      'io.stager.droplet.sha256': record.droplet.sha256,
      'org.opencontainers.image.title': record.app.name,
    }),
    ...(top !== undefined && { 'io.stager.base.top-layer': top }),
    'org.opencontainers.image.base.name': base.name,
    ...(base.digest !== undefined && { 'org.opencontainers.image.base.digest': base.digest }),
  };
}

/** An image and where its bytes are. */
export interface ImageToHandOver {
  readonly texts: ImageTexts;
  readonly layers: readonly ImageLayer[];
}

/** Pushes or writes an image. */
export async function handOver(
  { to, target }: Pick<ImageWish, 'to' | 'target'>,
  { texts, layers }: ImageToHandOver,
  ports: Pick<ImagePorts, 'client' | 'clock'> & { readonly signal: AbortSignal },
): Promise<BuiltImage> {
  const config: BlobToPush = {
    descriptor: texts.configDescriptor,
    open: async (start) => Readable.from([texts.config.subarray(start)], { objectMode: false }),
  };
  const blobs: BlobToPush[] = [...layers, config];
  const summary = {
    digest: texts.digest,
    layers: layers.map(({ title, descriptor: { digest, size } }) => ({ title, digest, size })),
  };
  if (to.kind === 'push') {
    const wish = { target, manifest: texts.manifest, mediaType: MEDIA.manifest, digest: texts.digest, blobs };
    const pushed = await pushImage(wish, ports);
    const name = formatReference({
      registry: target.registry,
      repository: target.repository,
      digest: texts.digest,
    });
    return { name, ...summary, pushed };
  }
  const image: LayoutImage = {
    manifest: texts.manifest,
    mediaType: MEDIA.manifest,
    blobs: blobs.map(({ descriptor, open }) => ({ descriptor, open: async () => await open(0) })),
    ...(target.tag !== undefined && { tag: target.tag, name: formatReference(target) }),
  };
  if (to.kind === 'tar') await writeLayoutTar(to.file, image, ports.signal);
  else await writeLayout(to.directory, image, ports.signal);
  return { name: to.kind === 'tar' ? to.file : to.directory, ...summary };
}

/** RFC 3339; 0 is the first second of 1980, as in the layers. */
export function createdAt(sourceDateEpoch: number): string {
  return sourceDateEpoch === 0 ? '1980-01-01T00:00:01Z' : new Date(sourceDateEpoch * 1000).toISOString();
}

function split(line: string): [string, string] {
  const equals = line.indexOf('=');
  return equals === -1 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
}
