/** Manifests, indexes and configurations of images (OCI image specification; Docker's own of the same shape). */
import { z } from 'zod';
import { sha256OfBytes } from '../../words/digest.ts';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

/** Media types that are written, and those of Docker that are read as the same. */
export const MEDIA = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const;

/** What a registry is asked for. */
export const ACCEPTED = [MEDIA.index, MEDIA.manifest, MEDIA.dockerIndex, MEDIA.dockerManifest].join(', ');

/** Registries have to take manifests of 4 MiB; a configuration may be larger. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
export const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const MAX_LAYERS = 1000;

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is not a sha256 digest');
const Texts = z.record(z.string(), z.string());

export const Descriptor = z.looseObject({
  mediaType: z.string().default(''),
  digest: Digest,
  size: z.int().min(0),
  annotations: Texts.optional(),
  platform: z
    .looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() })
    .optional(),
});
export type Descriptor = z.infer<typeof Descriptor>;

export const Index = z.looseObject({ manifests: z.array(Descriptor).max(1000) });
export type Index = z.infer<typeof Index>;
export const ImageManifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor).max(MAX_LAYERS),
  annotations: Texts.optional(),
});
export type ImageManifest = z.infer<typeof ImageManifest>;

/** How containers of an image are started; every part may be absent or null. */
export const RunConfig = z.looseObject({
  User: z.string().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  Env: z.array(z.string()).nullish(),
  Entrypoint: z.array(z.string()).nullish(),
  Cmd: z.array(z.string()).nullish(),
  WorkingDir: z.string().nullish(),
  Labels: Texts.nullish(),
  Volumes: z.record(z.string(), z.unknown()).nullish(),
  StopSignal: z.string().nullish(),
});
export type RunConfig = z.infer<typeof RunConfig>;

export const ImageConfig = z.looseObject({
  created: z.string().optional(),
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: RunConfig.nullish(),
  rootfs: z.looseObject({ type: z.string(), diff_ids: z.array(Digest).max(MAX_LAYERS) }),
  history: z.array(z.looseObject({ empty_layer: z.boolean().optional() })).optional(),
});
export type ImageConfig = z.infer<typeof ImageConfig>;

/** An image without its layers. */
export interface ImageDocuments {
  /** Of the manifest. */
  readonly digest: string;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  /** The configuration as it is. */
  readonly configText: Buffer;
}

/** `sha256:…` of some bytes. */
export const digestOf = (bytes: Uint8Array | string): string => `sha256:${sha256OfBytes(bytes)}`;

/** What a document is: by its own words, its media type, or its shape. @throws StagerError IMAGE_INVALID. */
export function readDocument(
  bytes: Buffer,
  what: string,
):
  | { readonly kind: 'index'; readonly index: z.infer<typeof Index> }
  | { readonly kind: 'manifest'; readonly manifest: ImageManifest } {
  const document = jsonOf(bytes, what);
  const seen = z
    .looseObject({ mediaType: z.string().optional(), schemaVersion: z.number().optional() })
    .safeParse(document);
  if (seen.success && seen.data.schemaVersion === 1)
    throw invalidImage(
      what,
      'it has a manifest of schema 1, which is no longer read',
      'Push it again with a current client.',
    );
  if (typeof document === 'object' && document !== null && 'manifests' in document)
    return { kind: 'index', index: parsed(Index, document, what) };
  return { kind: 'manifest', manifest: parsed(ImageManifest, document, what) };
}

/** The configuration of an image. @throws StagerError IMAGE_INVALID for what is not one, such as a chart. */
export function readConfig(bytes: Buffer, what: string): ImageConfig {
  return parsed(ImageConfig, jsonOf(bytes, what), what);
}

/** The image of an index for this machine; entries that hold no image are skipped. */
export function chooseManifest(manifests: readonly Descriptor[], arch: string): Descriptor | undefined {
  const images = manifests.filter(({ platform }) => platform?.os !== 'unknown');
  return (
    images.find(({ platform }) => platform?.os === 'linux' && platform.architecture === arch) ??
    images.find(({ platform }) => platform === undefined)
  );
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** Go's name of this machine's architecture. */
export const machineArch = (): string => ARCHITECTURES[process.arch] ?? process.arch;

function jsonOf(bytes: Buffer, what: string): unknown {
  const document = parseJson(bytes.toString('utf8'));
  if (document !== undefined) return document;
  throw invalidImage(what, 'its registry sent something that is not JSON', 'Check the name of the registry.');
}

function parsed<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
  const found = schema.safeParse(document);
  if (found.success) return found.data;
  throw invalidImage(what, z.prettifyError(found.error).slice(0, 500), 'Use a container image.');
}

/** IMAGE_INVALID. */
export function invalidImage(what: string, why: string, next: string, cause?: unknown): StagerError {
  return new StagerError('IMAGE_INVALID', `${what} can't be used: ${why}`, {
    next,
    details: { image: what },
    cause,
  });
}
