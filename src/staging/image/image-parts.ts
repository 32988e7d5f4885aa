/** Layers that are packed, and the documents of an image that is made of them. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import {
  type Descriptor,
  digestOf,
  type ImageConfig,
  MEDIA,
  type RunConfig,
} from '../../stores/registry/documents.ts';
import type { ImageReference } from '../../stores/registry/reference.ts';
import { DEFAULT_COMPRESSION } from '../droplet/pack/compression.ts';
import { packEntries } from '../droplet/pack/tarball.ts';
import type { LayerPlan } from './layer-entries.ts';

/** A layer and where its bytes are. */
export interface ImageLayer {
  readonly title: string;
  readonly descriptor: Descriptor;
  readonly diffId: string;
  readonly open: (start: number) => Promise<Readable>;
  /** The image in a registry that has it. */
  readonly from?: ImageReference;
}

/** What a layer is packed with. */
export interface PackingPlace {
  /** Directory for the packed layers. */
  readonly spool: string;
  /** Directory of compressed members that are kept; absent: none. */
  readonly memberCache?: string;
  readonly signal: AbortSignal;
}

/** Packs one layer into a file of the spool, and takes both digests in the same pass. */
export async function packLayer(plan: LayerPlan, index: number, place: PackingPlace): Promise<ImageLayer> {
  const { signal, memberCache } = place;
  const file = join(place.spool, `layer-${index}.tar.gz`);
  const packed = packEntries(plan.entries, {
    signal,
    compression: DEFAULT_COMPRESSION,
    ...(memberCache !== undefined && { memberCache }),
  });
  const whole = createHash('sha256');
  const inner = createHash('sha256');
  const unzip = createGunzip();
  const hashing = new Writable({
    write(chunk: Buffer, _, done) {
      inner.update(chunk);
      done();
    },
  });
  const hashed = pipeline(unzip, hashing, { signal });
  hashed.catch(() => undefined);
  let size = 0;
  const tee = new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length;
      whole.update(chunk);
      if (unzip.write(chunk)) done(null, chunk);
      else unzip.once('drain', () => done(null, chunk));
    },
    flush(done) {
      unzip.end();
      done();
    },
  });
  try {
    await pipeline(packed.body, tee, createWriteStream(file, { flags: 'wx' }), { signal });
    await Promise.all([hashed, packed.summary]);
  } finally {
    unzip.destroy();
  }
  return {
    title: plan.title,
    descriptor: { mediaType: MEDIA.layer, digest: `sha256:${whole.digest('hex')}`, size },
    diffId: `sha256:${inner.digest('hex')}`,
    open: async (start) => createReadStream(file, { start }),
  };
}

/** Manifest and configuration. */
export interface ImageTexts {
  readonly config: Buffer;
  readonly configDescriptor: Descriptor;
  readonly manifest: Buffer;
  readonly digest: string;
}

/** What a configuration is made from. */
export interface ImageConfigParts {
  /** Of the base; absent: there is none. */
  readonly base?: ImageConfig;
  readonly architecture: string;
  readonly created: string;
  readonly run: RunConfig;
  readonly layers: readonly ImageLayer[];
  /** How many of the layers are the base's, whose history is kept. */
  readonly baseLayers: number;
}

/** The same parts give the same bytes. */
export function imageTexts(parts: ImageConfigParts): ImageTexts {
  const { base, layers, created, baseLayers } = parts;
  const history = layers
    .slice(baseLayers)
    .map(({ title }) => ({ created, created_by: title, comment: 'stager' }));
  const config = Buffer.from(
    JSON.stringify({
      created,
      architecture: base?.architecture ?? parts.architecture,
      os: base?.os ?? 'linux',
      ...(base?.variant !== undefined && { variant: base.variant }),
      config: parts.run,
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: [...(base?.history ?? bareHistory(layers.slice(0, baseLayers), created)), ...history],
    }),
  );
  const configDescriptor = { mediaType: MEDIA.config, digest: digestOf(config), size: config.length };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: configDescriptor,
      layers: layers.map(({ descriptor: { digest, size, mediaType } }) => ({
        mediaType: ociType(mediaType),
        digest,
        size,
      })),
    }),
  );
  return { config, configDescriptor, manifest, digest: digestOf(manifest) };
}

/** An image has one family of media types; the bytes are the same. */
function ociType(mediaType: string): string {
  if (/zstd$/.test(mediaType)) return 'application/vnd.oci.image.layer.v1.tar+zstd';
  return /gzip$/.test(mediaType) || mediaType === '' ? MEDIA.layer : 'application/vnd.oci.image.layer.v1.tar';
}

const bareHistory = (layers: readonly ImageLayer[], created: string) =>
  layers.map(({ title }) => ({ created, created_by: title }));
