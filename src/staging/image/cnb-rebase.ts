/**
 * Whether an image of Cloud Native Buildpacks may stand on another base, and what its label says then: the rules of the
 * reference lifecycle's rebaser.
 */
import { z } from 'zod';
import { formatReference, parseImageReference } from '../../stores/registry/reference.ts';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import type { ImageBase } from './bases.ts';
import { LIFECYCLE_LABEL } from './cnb-labels.ts';
import { baseVariables } from './droplet-content.ts';

const Named = z.looseObject({ image: z.string().optional(), mirrors: z.array(z.string()).nullish() });
const Metadata = z.looseObject({
  runImage: z.looseObject({ ...Named.shape, topLayer: z.string(), reference: z.string().optional() }),
  stack: z.looseObject({ runImage: Named.optional() }).nullish(),
});
const Mixins = z.array(z.string());

/** The label of an image that has one. */
export type LifecycleMetadata = z.infer<typeof Metadata>;

/** @throws StagerError IMAGE_INVALID for a label that is none of the lifecycle. */
export function lifecycleMetadata({ name, config }: ImageBase): LifecycleMetadata | undefined {
  const text = config?.config?.Labels?.[LIFECYCLE_LABEL];
  if (text === undefined) return undefined;
  const parsed = Metadata.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new StagerError(
    'IMAGE_INVALID',
    `${name} can't be rebased: its label ${LIFECYCLE_LABEL} is damaged`,
    {
      next: 'Build it again.',
      details: { image: name },
    },
  );
}

/** Why the lifecycle would not do it; nothing when it would. */
export function rebaseObstacles(
  image: ImageBase,
  base: ImageBase,
  metadata: LifecycleMetadata,
): readonly string[] {
  const api = Number(/^0\.(\d+)$/.exec(baseVariables(image).get('CNB_PLATFORM_API') ?? '')?.[1] ?? 0);
  if (api < TARGETS_API) return stackObstacles(image, base);
  const labels = image.config?.config?.Labels ?? {};
  const obstacles: string[] = [];
  if (labels['io.buildpacks.rebasable'] === 'false')
    obstacles.push('its label says that it is not rebasable');
  const [own, theirs] = [targetOf(image), targetOf(base)];
  for (const key of ['variant', 'distro', 'version'] as const) {
    if (theirs[key] !== '' && theirs[key] !== own[key])
      obstacles.push(`the new base has the ${key} ${theirs[key]}, and the image ${own[key] || 'none'}`);
  }
  if (isForeignBase(metadata, base))
    obstacles.push(`its bases are ${namesIn(metadata).join(', ')}, and not ${base.name}`);
  return obstacles;
}

/** From this platform API on images have targets, and stacks no longer count. */
const TARGETS_API = 12;

function stackObstacles(image: ImageBase, base: ImageBase): readonly string[] {
  const [own, theirs] = [image, base].map(({ config }) => config?.config?.Labels ?? {});
  const [stack, newStack] = [own, theirs].map((labels) => labels?.['io.buildpacks.stack.id'] ?? '');
  if (stack !== newStack || stack === '')
    return [`its stack is ${stack || 'not named'}, and that of the new base ${newStack || 'not named'}`];
  const [had = [], has = []] = [own, theirs].map((labels) => {
    const mixins = Mixins.safeParse(parseJson(labels?.['io.buildpacks.stack.mixins'] ?? '[]')).data ?? [];
    return mixins.map((mixin) => mixin.replace(/^(?:build|run):/, ''));
  });
  const missing = had.filter((mixin) => !has.includes(mixin));
  return missing.length === 0 ? [] : [`the new base lacks the mixins ${missing.join(', ')}`];
}

function targetOf({ config }: ImageBase) {
  const labels = config?.config?.Labels ?? {};
  return {
    variant: config?.variant ?? '',
    distro: labels['io.buildpacks.base.distro.name'] ?? '',
    version: labels['io.buildpacks.base.distro.version'] ?? '',
  };
}

function namesIn({ runImage, stack }: LifecycleMetadata): readonly string[] {
  const names = [runImage, stack?.runImage].flatMap((it) =>
    it?.image === undefined ? [] : [it.image, ...(it.mirrors ?? [])],
  );
  return [...new Set(names)];
}

/** A tag counts, a digest does not. */
function withoutDigest(name: string): string {
  const [before = ''] = name.split('@');
  try {
    return formatReference(parseImageReference(before));
  } catch {
    return before;
  }
}

/** The label on the new base; one that the image did not name is the only one that it names then. */
export function rebasedLabel(metadata: LifecycleMetadata, base: ImageBase): string {
  const renamed = isForeignBase(metadata, base);
  const { reference, digest } = base;
  const topLayer = base.layers.at(-1)?.diffId ?? '';
  const pinned =
    reference === undefined || digest === undefined
      ? base.name
      : formatReference({ registry: reference.registry, repository: reference.repository, digest });
  const { mirrors: _, ...bare } = metadata.runImage;
  const runImage = renamed ? { ...bare, image: base.name } : metadata.runImage;
  return JSON.stringify({
    ...metadata,
    runImage: { ...runImage, topLayer, reference: pinned },
    ...(renamed && { stack: { runImage: { image: base.name } } }),
  });
}

/** Whether the image has a list of bases, and not this one. */
function isForeignBase(metadata: LifecycleMetadata, { name }: ImageBase): boolean {
  const names = namesIn(metadata);
  return names.length > 0 && !names.map(withoutDigest).includes(withoutDigest(name));
}
