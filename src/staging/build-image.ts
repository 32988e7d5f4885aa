/** A droplet becomes an OCI image: unpacked, packed again as layers, put on a base, and pushed or written where it should go. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { RegistryClient } from '../stores/registry/client.ts';
import { MEDIA, machineArch } from '../stores/registry/documents.ts';
import { type LayoutImage, writeLayout, writeLayoutTar } from '../stores/registry/layout.ts';
import { type BlobToPush, type PushSummary, pushImage } from '../stores/registry/push.ts';
import { formatReference, type ImageReference } from '../stores/registry/reference.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { type ImageBase, namedImage, stackBase } from './image/bases.ts';
import { cnbContent } from './image/cnb-content.ts';
import { dropletContent } from './image/droplet-content.ts';
import {
  type ImageLayer,
  type ImageTexts,
  imageTexts,
  type PackingPlace,
  packLayer,
} from './image/image-parts.ts';
import { locateDroplet } from './launch/locate.ts';
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
  /** Process type that the image starts; absent: the default one, or `web`. */
  readonly process?: string;
  /** Other names of the base, which an image of Cloud Native Buildpacks may be rebased onto. */
  readonly mirrors?: readonly string[];
  /** Program that starts processes in an image of Cloud Native Buildpacks; absent: ours. */
  readonly launcher?: string;
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
  /** What a rebase went on in spite of. */
  readonly warnings?: readonly string[];
}

/** Builds, and hands the image over. @throws StagerError USAGE, DROPLET_INVALID and those of registries. */
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
    // A base that can't be had is told before anything is unpacked.
    const base = await baseOf(wish, { record, ports, place });
    await unpackDroplet(parts, home, { ports, signal });
    const facts = { ...wish, ...(record !== undefined && { record }) };
    const content = (await cnbContent(home, facts)) ?? (await dropletContent(home, facts));
    const layers: ImageLayer[] = [...base.layers];
    for (const plan of content.plans) layers.push(await packLayer(plan, layers.length, place));
    const texts = imageTexts({
      ...(base.config !== undefined && { base: base.config }),
      architecture: machineArch(),
      created: createdAt(wish.sourceDateEpoch),
      run: await content.run(base, layers.slice(base.layers.length)),
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
