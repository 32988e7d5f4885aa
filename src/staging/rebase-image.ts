/** Puts an image on a newer base: only manifest and configuration are new, and nothing is unpacked. */
import type { RegistryClient } from '../stores/registry/client.ts';
import type { ImageReference } from '../stores/registry/reference.ts';
import type { Clock } from '../words/clock.ts';
import { StagerError } from '../words/errors.ts';
import { type BuiltImage, createdAt, handOver, type ImageDestination } from './build-image.ts';
import { type ImageBase, namedImage } from './image/bases.ts';
import { imageTexts } from './image/image-parts.ts';

/** What to rebase. */
export interface RebaseWish {
  /** A name, or a layout's directory. */
  readonly image: string;
  readonly base: string;
  readonly target: ImageReference;
  readonly to: ImageDestination;
  readonly sourceDateEpoch: number;
}

const LIFECYCLE_LABEL = 'io.buildpacks.lifecycle.metadata';

/** @throws StagerError IMAGE_INVALID when nothing says where the old base ends, or the new one is for another machine. */
export async function moveToBase(
  wish: RebaseWish,
  ports: { readonly client: RegistryClient; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<BuiltImage> {
  const image = await namedImage(wish.image, ports.client);
  const base = await namedImage(wish.base, ports.client);
  const own = image.layers.slice(endOfBase(wish.image, image));
  const { config } = image;
  if (config === undefined || base.config === undefined) throw new Error('a named image has a configuration');
  if (base.config.os !== config.os || base.config.architecture !== config.architecture) {
    const theirs = `${base.config.os}/${base.config.architecture}`;
    throw refused(wish.base, `it is for ${theirs}, and the image for ${config.os}/${config.architecture}`);
  }
  const labels = labelsOn(base, config.config?.Labels ?? {});
  const kept = own.map((layer, index) => ({ ...layer, title: titleOf(config.history, own.length - index) }));
  const layers = [...base.layers, ...kept];
  const texts = imageTexts({
    base: base.config,
    architecture: config.architecture,
    created: createdAt(wish.sourceDateEpoch),
    run: { ...config.config, Labels: labels },
    layers,
    baseLayers: base.layers.length,
  });
  return await handOver(wish, { texts, layers }, ports);
}

/** Number of layers that are the old base's. */
function endOfBase(name: string, { config, layers }: ImageBase): number {
  const labels = config?.config?.Labels ?? {};
  if (labels['io.buildpacks.rebasable'] === 'false')
    throw refused(name, 'its label says that it is not rebasable');
  const top = labels['io.stager.base.top-layer'] ?? topLayerOf(labels[LIFECYCLE_LABEL]);
  if (top === undefined && labels['org.opencontainers.image.base.name'] === 'scratch') return 0;
  const index = layers.findIndex(({ diffId }) => diffId === top);
  if (top === undefined || index === -1) throw refused(name, 'it does not say where its base ends');
  return index + 1;
}

function topLayerOf(text: string | undefined): string | undefined {
  return /"topLayer"\s*:\s*"(sha256:[0-9a-f]{64})"/.exec(text ?? '')?.[1];
}

function labelsOn(base: ImageBase, old: Readonly<Record<string, string>>): Record<string, string> {
  const { 'org.opencontainers.image.base.digest': _, ...labels } = old;
  const top = base.layers.at(-1)?.diffId;
  const theirs = Object.entries(base.config?.config?.Labels ?? {}).filter(([name]) =>
    /^io\.buildpacks\.(stack|base)\./.test(name),
  );
  const lifecycle = labels[LIFECYCLE_LABEL];
  return {
    ...labels,
    ...Object.fromEntries(theirs),
    ...(lifecycle !== undefined &&
      top !== undefined && {
        [LIFECYCLE_LABEL]: lifecycle.replace(/("topLayer"\s*:\s*")sha256:[0-9a-f]{64}/, `$1${top}`),
      }),
    ...(top !== undefined && { 'io.stager.base.top-layer': top }),
    'org.opencontainers.image.base.name': base.name,
    ...(base.digest !== undefined && { 'org.opencontainers.image.base.digest': base.digest }),
  };
}

/** What the history says of the layer that is `fromEnd`th, counted from the end. */
function titleOf(history: readonly Record<string, unknown>[] | undefined, fromEnd: number): string {
  const made = (history ?? []).filter(({ empty_layer: empty }) => empty !== true);
  const title = made.at(-fromEnd)?.['created_by'];
  return typeof title === 'string' ? title : 'layer';
}

function refused(image: string, why: string): StagerError {
  return new StagerError('IMAGE_INVALID', `${image} can't be rebased: ${why}`, {
    next: 'Build it again with stager image build.',
    details: { image },
  });
}
