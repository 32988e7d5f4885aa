/**
 * The docker lifecycle: an image is looked at, and nothing of it is run or unpacked. The result is the one of Cloud
 * Foundry's lifecycle, with the digest and a few facts beside it.
 */
import type { RegistryClient } from '../stores/registry/client.ts';
import {
  type ImageDocuments,
  invalidImage,
  machineArch,
  type RunConfig,
} from '../stores/registry/documents.ts';
import { type ImageReference, parseImageReference } from '../stores/registry/reference.ts';
import { StagerError } from '../words/errors.ts';

/** result.json of the docker lifecycle. */
export interface DockerResult {
  readonly process_types: { readonly web: string };
  readonly lifecycle_metadata: { readonly docker_image: string };
  readonly lifecycle_type: 'docker';
  /** JSON text. */
  readonly execution_metadata: string;
}

/** What was found. */
export interface InspectedImage {
  readonly result: DockerResult;
  /** Of the manifest for this machine. */
  readonly digest: string;
  readonly platform: string;
  /** Compressed. */
  readonly sizeBytes: number;
  readonly layers: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Sentences for people. */
  readonly warnings: readonly string[];
}

/** @throws StagerError USAGE, IMAGE_NOT_FOUND, IMAGE_INVALID and those of registries. */
export async function imageFacts(image: string, client: RegistryClient): Promise<InspectedImage> {
  const reference = parseImageReference(image);
  const { digest, manifest, config } = await client.image(reference);
  demandPlatform(config, image);
  const run = config.config ?? {};
  const root = /^(|0|root)(:.*)?$/.test(run.User ?? '');
  return {
    result: {
      process_types: { web: [...(run.Entrypoint ?? []), ...(run.Cmd ?? [])].join(' ') },
      lifecycle_metadata: { docker_image: shortName(reference) },
      lifecycle_type: 'docker',
      execution_metadata: JSON.stringify(executionMetadata(run, image)),
    },
    digest,
    platform: [config.os, config.architecture, config.variant].filter(Boolean).join('/'),
    sizeBytes: manifest.layers.reduce((sum, { size }) => sum + size, 0),
    layers: manifest.layers.length,
    labels: run.Labels ?? {},
    warnings: root
      ? ['the image wants to run as root, which Cloud Foundry refuses unless its operator allows it']
      : [],
  };
}

/** Of an index the right one was chosen; an image alone may be of any platform. */
function demandPlatform({ os, architecture }: ImageDocuments['config'], image: string): void {
  if (os === 'linux' && architecture === machineArch()) return;
  throw invalidImage(
    image,
    `it is for ${os}/${architecture}, not for linux/${machineArch()}`,
    'Choose an image for this platform.',
  );
}

/** Keys in the order of the original, and only those that are there. */
function executionMetadata(run: RunConfig, image: string): Record<string, unknown> {
  const ports = portsOf(run, image);
  return {
    ...(run.Cmd && { cmd: run.Cmd }),
    ...(run.Entrypoint && { entrypoint: run.Entrypoint }),
    ...(run.WorkingDir && { workdir: run.WorkingDir }),
    ...(ports.length > 0 && { ports }),
    ...(run.User && { user: run.User }),
  };
}

/** By number. */
function portsOf({ ExposedPorts: exposed }: RunConfig, image: string) {
  const ports = Object.keys(exposed ?? {}).map((text) => {
    const [, number = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
    if (number === '' || Number(number) < 1 || Number(number) > 65_535) {
      throw new StagerError(
        'IMAGE_INVALID',
        `${image} exposes ${JSON.stringify(text)}, which is not a port`,
        {
          next: 'Correct its EXPOSE and push it again.',
        },
      );
    }
    return { Port: Number(number), Protocol: protocol };
  });
  return ports.sort((a, b) => a.Port - b.Port);
}

/** Docker Hub's host is left out. */
function shortName({ registry, repository, tag, digest }: ImageReference): string {
  const name = registry === 'docker.io' ? repository : `${registry}/${repository}`;
  return digest === undefined ? `${name}:${tag ?? 'latest'}` : `${name}@${digest}`;
}
