/** Buildpacks, and images that hold them, as tests need them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RegistryClient } from '../../../src/stores/registry/client.ts';
import { MEDIA } from '../../../src/stores/registry/documents.ts';
import { readLayout } from '../../../src/stores/registry/layout.ts';
import { pushImage } from '../../../src/stores/registry/push.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';
import { systemClock } from '../../../src/words/clock.ts';

/** Writes a file with its directories. */
export function writeAt(path: string, text: string | Buffer, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

/** An image: directories whose content is a layer each, and labels, whose functions get the diffIDs of the layers. */
export interface TestImage {
  readonly layers: readonly string[];
  readonly labels:
    | Readonly<Record<string, unknown>>
    | ((diffIds: readonly string[]) => Record<string, unknown>);
}

/** Writes an image as a layout in `to`, uncompressed. */
export function writeImage(to: string, { layers, labels }: TestImage): string {
  const blob = (bytes: Buffer) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeAt(join(to, `blobs/sha256/${hex}`), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const made = layers.map((layer) => {
    execFileSync('tar', ['-cf', `${layer}.layer`, '-C', layer, '.']);
    return blob(readFileSync(`${layer}.layer`));
  });
  const diffIds = made.map(({ digest }) => digest);
  const texts = Object.entries(typeof labels === 'function' ? labels(diffIds) : labels).map(
    ([name, value]): [string, string] => [name, typeof value === 'string' ? value : JSON.stringify(value)],
  );
  const config = blob(
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Labels: Object.fromEntries(texts) },
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    ),
  );
  const manifest = blob(Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: made })));
  writeAt(join(to, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeAt(join(to, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return to;
}

/** What `pack buildpack package` writes: an uncompressed tar of a layout, names with a leading slash. */
export function writePackage(file: string, image: TestImage): string {
  const layout = writeImage(`${file}.d`, image);
  execFileSync('tar', ['-cf', file, '--transform', 's,^\\./,/,', '-P', '-C', layout, '.']);
  return file;
}

/** Pushes the image of a layout as it is. @returns its digest. */
export async function pushLayout(layout: string, target: string, client: RegistryClient): Promise<string> {
  const { digest, manifest } = await readLayout(layout);
  const blobOf = ({ digest: name }: { readonly digest: string }): string =>
    join(layout, 'blobs', name.replace(':', '/'));
  const blobs = [manifest.config, ...manifest.layers].map((descriptor) => ({
    descriptor,
    open: async (start: number) => createReadStream(blobOf(descriptor), { start }),
  }));
  const wish = { target: parseImageReference(target), mediaType: MEDIA.manifest, digest, blobs };
  const { signal } = new AbortController();
  await pushImage(
    { ...wish, manifest: readFileSync(blobOf({ digest })) },
    { client, clock: systemClock, signal },
  );
  return digest;
}
