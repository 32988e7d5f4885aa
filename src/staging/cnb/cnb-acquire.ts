/** References → directories of Cloud Native Buildpacks: a directory, an archive, a URL, an image, or part of a builder. */
import { mkdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { fileDigest } from '../../machine/host/file-digest.ts';
import { imageKind } from '../../machine/stack/image.ts';
import { StackWriter } from '../../machine/stack/stack-writer.ts';
import { unpackTar } from '../../machine/stack/tar-entries.ts';
import type { RegistryClient } from '../../stores/registry/client.ts';
import { parseImageReference } from '../../stores/registry/reference.ts';
import { StagerError } from '../../words/errors.ts';
import { type CnbBuilder, readBuilder } from './cnb-builder.ts';
import { type CnbDirectory, cnbsBelow, isExtension, readCnb } from './cnb-directory.ts';
import {
  CNB_LIMITS,
  type CnbImage,
  cnbOfLayout,
  cnbOfRegistry,
  labelOf,
  safely,
  unpackCnbs,
} from './cnb-image.ts';
import { imageInIndex, registryName } from './cnb-registry.ts';

/** What a reference gave: the buildpack that it names, and all that came with it. */
export interface AcquiredCnb {
  readonly main: CnbDirectory;
  readonly all: readonly CnbDirectory[];
  /** Of the image or archive; a directory has none. */
  readonly digest?: string;
}

/** What acquiring works with. */
export interface CnbAcquire {
  /** Private directory for what is unpacked. */
  readonly temp: string;
  readonly client: RegistryClient;
  /** Fetches an archive by its URL, checked against the digest that the URL may have. */
  readonly download: (url: string) => Promise<{ readonly path: string; readonly sha256: string }>;
  /** Directory with the index of the Buildpack Registry, cloned when it is first asked for. */
  readonly registryIndex: () => Promise<string>;
  /** Names in the builder can be used, where one was asked for. */
  readonly builder?: CnbBuilder;
  readonly signal: AbortSignal;
}

const FORMS =
  'Give a directory, a .cnb or .tgz file, an https URL of one, docker://IMAGE or urn:cnb:registry:NAME.';
const Main = z.looseObject({ id: z.string(), version: z.string() });

/** @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_MALFORMED, USAGE, and those of downloads, registries and images. */
export async function acquireCnb(reference: string, index: number, parts: CnbAcquire): Promise<AcquiredCnb> {
  const temp = join(parts.temp, `cnb-${index}`);
  const { client, signal } = parts;
  const [, inBuilder] = /^(?:urn:cnb:builder:|from=builder:)(.+)$/.exec(reference) ?? [];
  if (inBuilder !== undefined) return ofBuilder(inBuilder, reference, parts.builder);
  const [, inRegistry] = /^urn:cnb:registry:(.+)$/.exec(reference) ?? [];
  if (inRegistry !== undefined) {
    const name = registryName(inRegistry);
    const address = await imageInIndex(await parts.registryIndex(), name);
    return await acquireCnb(`docker://${address}`, index, parts);
  }
  if (reference.startsWith('docker://')) {
    const image = await cnbOfRegistry(reference, parseImageReference(reference), { client, temp, signal });
    return await fromImage(image, temp, signal);
  }
  if (/^https?:/.test(reference)) {
    const { path, sha256 } = await parts.download(reference);
    return { ...(await fromArchive(path, temp, { reference, signal })), digest: sha256 };
  }
  refuseUnknown(reference);
  const path = resolve(reference.replace(/^file:\/\//, ''));
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined)
    throw new StagerError('BUILDPACK_NOT_FOUND', `there is no buildpack ${reference}`, { next: FORMS });
  if (!facts.isDirectory()) {
    const sha256 = await fileDigest(path, signal);
    return { ...(await fromArchive(path, temp, { reference, signal })), digest: sha256 };
  }
  if ((await imageKind(path)) === 'oci')
    return await fromImage(await cnbOfLayout(reference, path), temp, signal);
  return alone(await readCnb(path, reference));
}

/** The builder that a reference names: an image of a registry, a layout, or a tar of one. */
export async function acquireBuilder(reference: string, parts: CnbAcquire): Promise<CnbBuilder> {
  const { client, signal } = parts;
  const temp = join(parts.temp, 'builder');
  const root = join(temp, 'image');
  const path = resolve(reference.replace(/^file:\/\//, ''));
  const facts = reference.startsWith('docker://') ? undefined : await stat(path).catch(() => undefined);
  if (facts === undefined) {
    const image = await cnbOfRegistry(reference, parseImageReference(reference), { client, temp, signal });
    return await readBuilder(image, { temp: root, signal });
  }
  const layout = facts.isDirectory() ? path : await unpacked(path, temp, { reference, signal });
  return await readBuilder(await cnbOfLayout(reference, layout), { temp: root, signal });
}

function refuseUnknown(reference: string): void {
  if (!/^(urn|git|ssh|s3):/.test(reference)) return;
  throw new StagerError('USAGE', `${reference}: Cloud Native Buildpacks can't be fetched from there`, {
    next: FORMS,
    details: { buildpack: reference },
  });
}

function ofBuilder(wanted: string, reference: string, builder: CnbBuilder | undefined): AcquiredCnb {
  if (builder === undefined) {
    throw new StagerError('USAGE', `${reference} names a part of a builder, and there is none`, {
      next: 'Give the builder with --builder, or name the buildpack itself.',
    });
  }
  const [id = '', version] = wanted.split('@');
  const main = builder.all.find(
    ({ descriptor }) => descriptor.id === id && (version === undefined || descriptor.version === version),
  );
  if (main !== undefined) return { main, all: builder.all, digest: builder.digest };
  throw new StagerError('BUILDPACK_NOT_FOUND', `the builder ${builder.name} has no buildpack ${wanted}`, {
    next: `It has ${builder.all.map(({ descriptor }) => `${descriptor.id}@${descriptor.version}`).join(', ') || 'none'}.`,
  });
}

const alone = (main: CnbDirectory): AcquiredCnb => ({ main, all: [main] });

interface ArchiveIo {
  readonly reference: string;
  readonly signal: AbortSignal;
}

async function fromArchive(path: string, temp: string, io: ArchiveIo): Promise<AcquiredCnb> {
  const root = await unpacked(path, temp, io);
  if ((await imageKind(root)) !== 'oci') return alone(await readCnb(root, io.reference));
  return await fromImage(await cnbOfLayout(io.reference, root), temp, io.signal);
}

/** What a tar holds, compressed or not. */
async function unpacked(path: string, temp: string, { reference, signal }: ArchiveIo): Promise<string> {
  const root = join(temp, 'unpacked');
  await mkdir(root, { recursive: true });
  const writer = new StackWriter(root, CNB_LIMITS);
  await safely(reference, async () => {
    await unpackTar(path, writer, signal);
    await writer.finish();
  });
  return root;
}

/** Layers hold `/cnb/buildpacks/<id>/<version>/…`; the label says which of them was meant. */
async function fromImage(image: CnbImage, temp: string, signal: AbortSignal): Promise<AcquiredCnb> {
  const label = labelOf(image, 'io.buildpacks.buildpackage.metadata', Main);
  const root = join(temp, 'image');
  await mkdir(root, { recursive: true });
  await unpackCnbs(image, root, signal);
  const all = await cnbsBelow(root);
  const main = all.find(
    ({ descriptor: { id, version } }) =>
      label === undefined || (id === label.id && version === label.version),
  );
  if (main !== undefined && (label !== undefined || all.length === 1))
    return { main, all, digest: image.digest };
  if (all.length === 0 && image.labels['io.buildpacks.extension.layers'] !== undefined)
    throw isExtension(image.name);
  throw new StagerError(
    'BUILDPACK_MALFORMED',
    `${image.name} does not say which of its ${all.length} buildpacks is meant`,
    { next: 'Use a package that pack buildpack package made.', details: { buildpack: image.name } },
  );
}
