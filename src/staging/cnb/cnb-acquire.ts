/** References → directories of Cloud Native Buildpacks: a directory, a `.tgz`, a `.cnb`, or an image of a registry. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { imageKind, unpackImage } from '../../machine/stack/image.ts';
import { StackWriter } from '../../machine/stack/stack-writer.ts';
import { unpackTar } from '../../machine/stack/tar-entries.ts';
import type { RegistryClient } from '../../stores/registry/client.ts';
import { MEDIA } from '../../stores/registry/documents.ts';
import { readLayout, writeLayout } from '../../stores/registry/layout.ts';
import { parseImageReference } from '../../stores/registry/reference.ts';
import { StagerError } from '../../words/errors.ts';
import { type CnbDescriptor, parseCnbDescriptor } from './cnb-descriptor.ts';

/** A buildpack on disk. */
export interface CnbDirectory {
  readonly descriptor: CnbDescriptor;
  readonly root: string;
}

/** What a reference gave: the buildpack that it names, and all that came with it. */
export interface AcquiredCnb {
  readonly main: CnbDirectory;
  readonly all: readonly CnbDirectory[];
}

/** What acquiring works with. */
export interface CnbAcquire {
  /** Private directory for what is unpacked. */
  readonly temp: string;
  readonly client: RegistryClient;
  readonly signal: AbortSignal;
}

const MAIN_LABEL = 'io.buildpacks.buildpackage.metadata';

/** @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_MALFORMED, USAGE, and those of registries and images. */
export async function acquireCnb(reference: string, index: number, parts: CnbAcquire): Promise<AcquiredCnb> {
  const temp = join(parts.temp, `cnb-${index}`);
  if (reference.startsWith('docker://')) {
    await fetchLayout(reference, join(temp, 'layout'), parts);
    return await fromLayout(join(temp, 'layout'), temp, { reference, signal: parts.signal });
  }
  if (/^(https?|urn|git):/.test(reference)) {
    throw new StagerError('USAGE', `${reference}: Cloud Native Buildpacks can't be fetched from there`, {
      next: 'Give a directory, a .cnb or .tgz file, or docker://IMAGE; download others first.',
    });
  }
  const path = resolve(reference.replace(/^file:\/\//, ''));
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) {
    throw new StagerError('BUILDPACK_NOT_FOUND', `there is no buildpack ${reference}`, {
      next: 'Give a directory, a .cnb or .tgz file, or docker://IMAGE.',
    });
  }
  if (facts.isDirectory()) {
    if ((await imageKind(path)) === 'oci')
      return await fromLayout(path, temp, { reference, signal: parts.signal });
    return alone(await readCnb(path, reference));
  }
  const unpacked = join(temp, 'unpacked');
  await mkdir(unpacked, { recursive: true });
  const writer = new StackWriter(unpacked, LIMITS);
  await unpackTar(path, writer, parts.signal);
  await writer.finish();
  if ((await imageKind(unpacked)) === 'oci')
    return await fromLayout(unpacked, temp, { reference, signal: parts.signal });
  return alone(await readCnb(unpacked, reference));
}

const LIMITS = { maxEntries: 500_000, maxBytes: 16 * 1024 ** 3 };

/** The buildpack in a directory. */
export async function readCnb(root: string, name: string): Promise<CnbDirectory> {
  const text = await readFile(join(root, 'buildpack.toml'), 'utf8').catch((cause: unknown) => {
    throw new StagerError('BUILDPACK_MALFORMED', `${name} has no buildpack.toml that can be read`, {
      next: 'Give the root of a Cloud Native Buildpack.',
      cause,
    });
  });
  return { descriptor: parseCnbDescriptor(text, name), root };
}

const alone = (main: CnbDirectory): AcquiredCnb => ({ main, all: [main] });

async function fetchLayout(reference: string, to: string, { client, signal }: CnbAcquire): Promise<void> {
  const image = parseImageReference(reference);
  const { manifest } = await client.image(image);
  const blobs = [manifest.config, ...manifest.layers].map((descriptor) => ({
    descriptor,
    open: async () => await client.blob(image, descriptor),
  }));
  await writeLayout(
    to,
    { manifest: Buffer.from(JSON.stringify(manifest)), mediaType: MEDIA.manifest, blobs },
    signal,
  );
}

/** Layers hold `/cnb/buildpacks/<id>/<version>/…`; the label says which of them was meant. */
async function fromLayout(
  layout: string,
  temp: string,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<AcquiredCnb> {
  const { config } = await readLayout(layout);
  const label = mainOf(config.config?.Labels?.[MAIN_LABEL]);
  const root = join(temp, 'image');
  await mkdir(root, { recursive: true });
  const writer = new StackWriter(root, LIMITS);
  await unpackImage(layout, writer, { kind: 'oci', signal });
  await writer.finish();
  const all = await cnbsBelow(join(root, 'cnb/buildpacks'));
  const main = all.find(
    ({ descriptor: { id, version } }) =>
      label === undefined || (id === label.id && version === label.version),
  );
  if (main !== undefined && (label !== undefined || all.length === 1)) return { main, all };
  throw new StagerError(
    'BUILDPACK_MALFORMED',
    `${reference} does not say which of its ${all.length} buildpacks is meant`,
    {
      next: 'Use a package that pack buildpack package made.',
    },
  );
}

function mainOf(text: string | undefined): { readonly id: string; readonly version: string } | undefined {
  const id = /"id"\s*:\s*"([^"]+)"/.exec(text ?? '')?.[1];
  const version = /"version"\s*:\s*"([^"]+)"/.exec(text ?? '')?.[1];
  return id === undefined || version === undefined ? undefined : { id, version };
}

async function cnbsBelow(root: string): Promise<CnbDirectory[]> {
  const found: CnbDirectory[] = [];
  for (const id of await readdir(root).catch(() => [])) {
    for (const version of await readdir(join(root, id)).catch(() => [])) {
      const path = join(root, id, version);
      if ((await stat(join(path, 'buildpack.toml')).catch(() => undefined))?.isFile() === true)
        found.push(await readCnb(path, `${id}/${version}`));
    }
  }
  return found;
}
