/** Puts an image on a newer base: only manifest and configuration are new, and nothing is unpacked. */
import type { RegistryClient } from '../stores/registry/client.ts';
import type { ImageReference } from '../stores/registry/reference.ts';
import type { Clock } from '../words/clock.ts';
import { StagerError } from '../words/errors.ts';
import { type BuiltImage, createdAt, handOver, type ImageDestination } from './build-image.ts';
import { type ImageBase, namedImage } from './image/bases.ts';
import { LIFECYCLE_LABEL } from './image/cnb-labels.ts';
import {
  type LifecycleMetadata,
  lifecycleMetadata,
  rebasedLabel,
  rebaseObstacles,
} from './image/cnb-rebase.ts';
import { imageTexts } from './image/image-parts.ts';

/** What to rebase. */
export interface RebaseWish {
  /** A name, or a layout's directory. */
  readonly image: string;
  readonly base: string;
  readonly target: ImageReference;
  readonly to: ImageDestination;
  readonly sourceDateEpoch: number;
  /** Goes on where the reference lifecycle would only with its `-force`. */
  readonly force?: boolean;
}

/** @throws StagerError IMAGE_INVALID when nothing says where the old base ends, or the new one is for another machine. */
export async function moveToBase(
  wish: RebaseWish,
  ports: { readonly client: RegistryClient; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<BuiltImage> {
  const image = await namedImage(wish.image, ports.client);
  const base = await namedImage(wish.base, ports.client);
  const metadata = lifecycleMetadata(image);
  const own = image.layers.slice(endOfBase(wish.image, image, metadata));
  const { config } = image;
  if (config === undefined || base.config === undefined) throw new Error('a named image has a configuration');
  if (base.config.os !== config.os || base.config.architecture !== config.architecture) {
    const theirs = `${base.config.os}/${base.config.architecture}`;
    throw refused(wish.base, `it is for ${theirs}, and the image for ${config.os}/${config.architecture}`);
  }
  const warnings = metadata === undefined ? [] : rebaseObstacles(image, base, metadata);
  if (warnings.length > 0 && wish.force !== true)
    throw refused(wish.image, warnings.join('; '), 'Name another base, or go on with --force.');
  const labels = labelsOn(base, config.config?.Labels ?? {}, metadata);
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
  return { ...(await handOver(wish, { texts, layers }, ports)), ...(warnings.length > 0 && { warnings }) };
}

/** Number of layers that are the old base's. */
function endOfBase(
  name: string,
  { config, layers }: ImageBase,
  metadata: LifecycleMetadata | undefined,
): number {
  const labels = config?.config?.Labels ?? {};
  const top = metadata?.runImage.topLayer ?? labels['io.stager.base.top-layer'];
  if (top === undefined && labels['org.opencontainers.image.base.name'] === 'scratch') return 0;
  const index = layers.findIndex(({ diffId }) => diffId === top);
  if (top === undefined || index === -1) throw refused(name, 'it does not say where its base ends');
  return index + 1;
}

function labelsOn(
  base: ImageBase,
  old: Readonly<Record<string, string>>,
  metadata: LifecycleMetadata | undefined,
): Record<string, string> {
  const { 'org.opencontainers.image.base.digest': _, ...labels } = old;
  const top = base.layers.at(-1)?.diffId;
  const theirs = Object.entries(base.config?.config?.Labels ?? {}).filter(([name]) =>
    /^io\.buildpacks\.(stack|base)\./.test(name),
  );
  if (metadata !== undefined)
    return { ...labels, ...Object.fromEntries(theirs), [LIFECYCLE_LABEL]: rebasedLabel(metadata, base) };
  return {
    ...labels,
    ...Object.fromEntries(theirs),
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

function refused(image: string, why: string, next = 'Build it again with stager image build.'): StagerError {
  return new StagerError('IMAGE_INVALID', `${image} can't be rebased: ${why}`, {
    next,
    details: { image },
  });
}
