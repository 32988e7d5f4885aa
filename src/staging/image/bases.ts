/** What an image stands on: an image of a registry or a layout, a stack, or nothing. */
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { InsideView } from '../../machine/sandbox/child/inside-view.ts';
import type { Rootfs } from '../../machine/sandbox/port/sandbox.ts';
import { osRelease } from '../../machine/stack/check.ts';
import type { RegistryClient } from '../../stores/registry/client.ts';
import { type ImageConfig, type ImageDocuments, invalidImage } from '../../stores/registry/documents.ts';
import { readLayout } from '../../stores/registry/layout.ts';
import { openLayoutBlob } from '../../stores/registry/layout-files.ts';
import {
  formatReference,
  type ImageReference,
  parseImageReference,
} from '../../stores/registry/reference.ts';
import { StagerError } from '../../words/errors.ts';
import { rootfsLayer } from './image-layers.ts';
import { type ImageLayer, type PackingPlace, packLayer } from './image-parts.ts';

/** An image without what we add. */
export interface ImageBase {
  /** As a person would find it again. */
  readonly name: string;
  readonly digest?: string;
  readonly config?: ImageConfig;
  readonly layers: readonly ImageLayer[];
  /** Of a registry. */
  readonly reference?: ImageReference;
  /** Of a stack. */
  readonly stack?: {
    readonly name: string;
    readonly distro?: string | undefined;
    readonly distroVersion?: string | undefined;
  };
}

/** An image of a registry, whose layers stay there until somebody needs them. */
export async function registryImage(client: RegistryClient, reference: ImageReference): Promise<ImageBase> {
  const documents = await client.image(reference);
  return {
    name: formatReference(reference),
    reference,
    digest: documents.digest,
    config: documents.config,
    layers: layersOf(documents, async (descriptor, start) =>
      start === 0
        ? await client.blob(reference, descriptor)
        : skipping(await client.blob(reference, descriptor), start),
    ).map((layer) => ({ ...layer, from: reference })),
  };
}

/** An image of an OCI layout. */
export async function layoutImage(directory: string): Promise<ImageBase> {
  const documents = await readLayout(directory);
  return {
    name: directory,
    digest: documents.digest,
    config: documents.config,
    layers: layersOf(documents, async (descriptor, start) =>
      skipping(await openLayoutBlob(directory, descriptor), start),
    ),
  };
}

/** A stack that was added: its file system as one layer. The machine itself can't be one. */
export async function stackBase(
  stack: { readonly name: string; readonly rootfs: Rootfs },
  place: PackingPlace,
): Promise<ImageBase> {
  if (stack.rootfs.kind === 'host') {
    throw new StagerError('USAGE', 'the droplet was staged on this machine, which is not an image', {
      next: 'Name what it should run on: --base IMAGE, --base DIR of an OCI layout, --base stack:NAME of an added stack.',
    });
  }
  const plan = { title: `stack ${stack.name}`, entries: rootfsLayer(stack.rootfs.path) };
  const view = new InsideView(stack.rootfs.path, []);
  return {
    name: `stack:${stack.name}`,
    layers: [await packLayer(plan, 0, place)],
    stack: {
      name: stack.name,
      distro: await osRelease(view, 'ID'),
      distroVersion: await osRelease(view, 'VERSION_ID'),
    },
  };
}

/**
 * True for the directory of a layout, which a name of an image may look like; and for what can only be a path, so that a
 * layout that is gone is told as such.
 */
export async function isLayout(text: string): Promise<boolean> {
  if (/^\.{0,2}\//.test(text)) return true;
  const facts = await stat(text).catch(() => undefined);
  return facts?.isDirectory() === true;
}

/** An image by its name or its directory. */
export async function namedImage(text: string, client: RegistryClient): Promise<ImageBase> {
  if (await isLayout(text)) return await layoutImage(text);
  return await registryImage(client, parseImageReference(text));
}

type OpenBlob = (descriptor: ImageLayer['descriptor'], start: number) => Promise<Readable>;

function layersOf({ manifest, config, digest }: ImageDocuments, open: OpenBlob): ImageLayer[] {
  return manifest.layers.map((descriptor, index) => {
    const diffId = config.rootfs.diff_ids[index];
    if (diffId === undefined) throw invalidImage(digest, 'a layer has no diff_id', 'Use another image.');
    const { mediaType, digest: blob, size } = descriptor;
    return {
      title: 'base',
      descriptor: { mediaType, digest: blob, size },
      diffId,
      open: async (start) => await open(descriptor, start),
    };
  });
}

/** For an upload that is taken up: the source can only be read from its begin. */
function skipping(body: Readable, bytes: number): Readable {
  return Readable.from(rest(body, bytes), { objectMode: false });
}

async function* rest(body: Readable, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of body) {
    const part = Buffer.from(chunk);
    if (left < part.length) yield part.subarray(left);
    left = Math.max(0, left - part.length);
  }
}
