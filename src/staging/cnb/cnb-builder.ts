/** Builder images: an order of buildpacks, the buildpacks themselves, and what they expect around them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readSmall } from '../../machine/host/read-small.ts';
import { StagerError } from '../../words/errors.ts';
import { type GroupEntry, groupEntry } from './cnb-descriptor.ts';
import { type CnbDirectory, cnbsBelow } from './cnb-directory.ts';
import { type CnbImage, labelOf, unpackCnbs } from './cnb-image.ts';
import { parseToml } from './cnb-toml.ts';

/** What a builder image holds. */
export interface CnbBuilder {
  readonly name: string;
  readonly digest: string;
  readonly order: readonly (readonly GroupEntry[])[];
  readonly all: readonly CnbDirectory[];
  /** Of a builder that has one still. */
  readonly stackId?: string;
  /** Image on which what it builds would run. */
  readonly runImage?: string;
  /** It has an order of image extensions. */
  readonly hasExtensions: boolean;
}

const Order = z.array(z.looseObject({ group: z.array(groupEntry).min(1) }));
const System = z.looseObject({
  pre: z.looseObject({ buildpacks: z.array(groupEntry).default([]) }).optional(),
  post: z.looseObject({ buildpacks: z.array(groupEntry).default([]) }).optional(),
});
const Metadata = z.looseObject({
  stack: z.looseObject({ runImage: z.looseObject({ image: z.string() }).optional() }).optional(),
  images: z.array(z.looseObject({ image: z.string() })).nullish(),
});

/** Reads and unpacks a builder. @throws StagerError IMAGE_INVALID for an image that is none. */
export async function readBuilder(
  image: CnbImage,
  { temp, signal }: { readonly temp: string; readonly signal: AbortSignal },
): Promise<CnbBuilder> {
  await mkdir(temp, { recursive: true });
  await unpackCnbs(image, temp, signal);
  const order =
    labelOf(image, 'io.buildpacks.buildpack.order', Order) ??
    (await tomlOf(temp, 'order.toml', z.looseObject({ order: Order })))?.order;
  if (order === undefined) {
    throw new StagerError('IMAGE_INVALID', `${image.name} is not a builder: it has no order of buildpacks`, {
      next: 'Name an image that pack builder create made.',
      details: { image: image.name },
    });
  }
  const system =
    labelOf(image, 'io.buildpacks.buildpack.system', System) ??
    (await tomlOf(temp, 'system.toml', z.looseObject({ system: System })))?.system;
  const metadata = labelOf(image, 'io.buildpacks.builder.metadata', Metadata);
  const extensions = labelOf(image, 'io.buildpacks.buildpack.order-extensions', z.array(z.unknown()));
  const runImage = metadata?.images?.[0]?.image ?? metadata?.stack?.runImage?.image;
  const stackId = image.labels['io.buildpacks.stack.id'];
  return {
    name: image.name,
    digest: image.digest,
    order: order.map(({ group }) => withSystem(group, system)),
    all: await cnbsBelow(temp),
    ...(stackId !== undefined && stackId !== '' && { stackId }),
    ...(runImage !== undefined && runImage !== '' && { runImage }),
    hasExtensions: (extensions ?? []).length > 0,
  };
}

/** What a builder puts around every group, without doubles. */
export function withSystem(
  group: readonly GroupEntry[],
  system: z.infer<typeof System> | undefined,
): readonly GroupEntry[] {
  const own = new Set(group.map(({ id }) => id));
  const isNew = ({ id }: GroupEntry): boolean => !own.has(id);
  const { pre, post } = system ?? {};
  return [...(pre?.buildpacks ?? []).filter(isNew), ...group, ...(post?.buildpacks ?? []).filter(isNew)];
}

async function tomlOf<T>(root: string, file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const found = await readSmall(join(root, 'cnb', file), root);
  const read = found.kind === 'text' ? parseToml(found.text) : undefined;
  return read?.ok === true ? schema.safeParse(read.value).data : undefined;
}
