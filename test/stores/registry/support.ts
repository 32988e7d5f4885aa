/** What tests of the registry client share: a client without patience, and small images. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { httpClient } from '../../../src/machine/proxy/http-client.ts';
import { RegistryClient } from '../../../src/stores/registry/client.ts';
import type { Credential } from '../../../src/stores/registry/credentials.ts';
import { MEDIA } from '../../../src/stores/registry/documents.ts';
import { type BlobToPush, type PushWish, pushImage } from '../../../src/stores/registry/push.ts';
import { type ImageReference, parseImageReference } from '../../../src/stores/registry/reference.ts';
import type { RegistryPorts } from '../../../src/stores/registry/session.ts';
import { systemClock } from '../../../src/words/clock.ts';

export const signal = new AbortController().signal;

export function clientFor(parts: Partial<RegistryPorts> & { readonly as?: Credential } = {}): RegistryClient {
  const { as, ...more } = parts;
  const http = httpClient({ proxy: {}, extraCa: [] });
  return new RegistryClient(
    {
      http,
      credentials: async () => as,
      clock: systemClock,
      retry: { attempts: 3, baseMs: 1, capMs: 2, deadlineMs: 5000 },
      ...more,
    },
    signal,
  );
}

export const sha256 = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface SmallImage extends Omit<PushWish, 'target'> {
  readonly layer: Buffer;
}

/** One layer of random bytes, which needs more than one request. */
export function smallImage(bytes = 1_500_000, from?: ImageReference): SmallImage {
  const tar = randomBytes(bytes);
  const layer = gzipSync(tar, { level: 1 });
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/bin/true'] },
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
    }),
  );
  const blobOf = (content: Buffer, mediaType: string): BlobToPush => ({
    descriptor: { mediaType, digest: sha256(content), size: content.length },
    open: async (start) => Readable.from(content.length > start ? [content.subarray(start)] : []),
    ...(from !== undefined && { from }),
  });
  const blobs = [blobOf(layer, MEDIA.layer), blobOf(config, MEDIA.config)];
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: blobs[1]?.descriptor,
      layers: [blobs[0]?.descriptor],
    }),
  );
  return { layer, manifest, mediaType: MEDIA.manifest, digest: sha256(manifest), blobs };
}

export const push = (image: SmallImage, target: string, client = clientFor()) =>
  pushImage({ ...image, target: parseImageReference(target) }, { client, clock: systemClock, signal });

export async function read(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
