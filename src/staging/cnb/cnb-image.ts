/** Buildpacks inside images: of a registry, or a layout on disk (distribution.md of the specification). */
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { InsideView } from '../../machine/sandbox/child/inside-view.ts';
import { type StackEntry, StackWriter } from '../../machine/stack/stack-writer.ts';
import { unpackTar } from '../../machine/stack/tar-entries.ts';
import type { RegistryClient } from '../../stores/registry/client.ts';
import { type ImageDocuments, invalidImage } from '../../stores/registry/documents.ts';
import { readLayout } from '../../stores/registry/layout.ts';
import type { ImageReference } from '../../stores/registry/reference.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

/** An image whose layers can be had. */
export interface CnbImage {
  /** As a person wrote it. */
  readonly name: string;
  /** Of its manifest. */
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly CnbImageLayer[];
}

/** One layer. */
export interface CnbImageLayer {
  readonly digest: string;
  readonly diffId: string;
  /** Its file, and whether it may be removed afterwards. */
  readonly open: () => Promise<{ readonly path: string; readonly isOwn: boolean }>;
}

/** An image of a registry. Layers are fetched when they are unpacked. */
export async function cnbOfRegistry(
  name: string,
  reference: ImageReference,
  {
    client,
    temp,
    signal,
  }: { readonly client: RegistryClient; readonly temp: string; readonly signal: AbortSignal },
): Promise<CnbImage> {
  return imageOf(name, await client.image(reference), async (descriptor, index) => {
    await mkdir(temp, { recursive: true });
    const path = join(temp, `layer-${index}`);
    await pipeline(await client.blob(reference, descriptor), createWriteStream(path), { signal });
    return { path, isOwn: true };
  });
}

/** An image of a layout. */
export async function cnbOfLayout(name: string, directory: string): Promise<CnbImage> {
  const view = new InsideView(directory, []);
  return imageOf(name, await readLayout(directory), async ({ digest }) => {
    const found = await view.resolve(`/blobs/${digest.replace(':', '/')}`);
    if ('stats' in found && found.stats.isFile()) return { path: found.host, isOwn: false };
    throw invalidImage(name, `${digest} is not there`, 'Write the layout again.');
  });
}

function imageOf(
  name: string,
  { digest, manifest, config }: ImageDocuments,
  open: (
    descriptor: ImageDocuments['manifest']['layers'][number],
    index: number,
  ) => ReturnType<CnbImageLayer['open']>,
): CnbImage {
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== manifest.layers.length)
    throw invalidImage(
      name,
      `it has ${manifest.layers.length} layers but ${diffIds.length} diff_ids`,
      'Use another.',
    );
  return {
    name,
    digest,
    labels: config.config?.Labels ?? {},
    layers: manifest.layers.map((descriptor, index) => ({
      digest: descriptor.digest,
      diffId: diffIds[index] ?? '',
      open: async () => await open(descriptor, index),
    })),
  };
}

const BuildpackLayers = z.record(
  z.string(),
  z.record(z.string(), z.looseObject({ layerDiffID: z.string() })),
);

/**
 * Unpacks what an image has below `/cnb` into `root`: of a package or builder that says in which layers its buildpacks
 * are, those only.
 *
 * @throws StagerError IMAGE_INVALID for layers that are not what the image says, BUILDPACK_MALFORMED for unsafe ones.
 */
export async function unpackCnbs(image: CnbImage, root: string, signal: AbortSignal): Promise<void> {
  const named = labelOf(image, 'io.buildpacks.buildpack.layers', BuildpackLayers);
  const wanted = new Set(
    Object.values(named ?? {}).flatMap((versions) => Object.values(versions).map((it) => it.layerDiffID)),
  );
  const writer = new CnbWriter(root, CNB_LIMITS);
  for (const layer of image.layers) {
    if (named !== undefined && !wanted.has(layer.diffId)) continue;
    const { path, isOwn } = await layer.open();
    writer.beginLayer();
    const found = await safely(image.name, () => unpackTar(path, writer, signal));
    if (isOwn) await rm(path);
    const [digest, diffId] = [`sha256:${found.sha256}`, `sha256:${found.diffId}`];
    if (digest !== layer.digest || diffId !== layer.diffId)
      throw invalidImage(image.name, `${layer.digest} is ${digest}, and holds ${diffId}`, 'Push it again.');
  }
  await writer.finish();
}

/** What may be unpacked of one reference. */
export const CNB_LIMITS = { maxEntries: 500_000, maxBytes: 16 * 1024 ** 3 };

/** Writes what is below `/cnb`, and leaves out the rest of a base image. */
class CnbWriter extends StackWriter {
  override async write(entry: StackEntry): Promise<void> {
    if (/^\/cnb(\/|$)/.test(posix.normalize(`/${entry.path}`))) await super.write(entry);
  }
}

/** What is unsafe in an archive is the buildpack's fault, not a stack's. */
export async function safely<T>(name: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!isStagerError(error, 'STACK_INVALID')) throw error;
    throw new StagerError('BUILDPACK_MALFORMED', `${name} can't be unpacked: ${error.message}`, {
      next: 'Use a package that pack buildpack package made, or a .tgz of a buildpack.',
      details: { buildpack: name },
      cause: error,
    });
  }
}

/** A label that holds JSON; undefined when the image has none. @throws StagerError IMAGE_INVALID for another shape. */
export function labelOf<T>({ name, labels }: CnbImage, label: string, schema: z.ZodType<T>): T | undefined {
  const text = labels[label];
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const why = z.prettifyError(parsed.error).slice(0, 500);
  throw invalidImage(name, `its label ${label} is not usable: ${why}`, 'Build it again with a current pack.');
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
