/** OCI image layouts: a directory, or a tar of one (image-layout.md of the OCI image specification). */
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { z } from 'zod';
import { fileDigest } from '../../machine/host/file-digest.ts';
import { replaceFile, replaceFileWith } from '../../machine/host/replace-file.ts';
import { errnoOf } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import {
  chooseManifest,
  type Descriptor,
  digestOf,
  type ImageDocuments,
  Index,
  invalidImage,
  MAX_CONFIG_BYTES,
  MEDIA,
  machineArch,
  readConfig,
  readDocument,
} from './documents.ts';

/** A blob of a layout that is to be written. */
export interface LayoutBlob {
  readonly descriptor: Descriptor;
  readonly open: () => Promise<Readable>;
}

/** An image that is to be written. */
export interface LayoutImage {
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly blobs: readonly LayoutBlob[];
  /** Tag, and the whole name. */
  readonly tag?: string;
  readonly name?: string;
}

const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
const MAX_INDEXES = 4;
const blobPath = (digest: string): string => join('blobs', ...digest.split(':'));

/** Adds an image to the layout in `directory`, which is made if it is not there. A tag of that name moves. */
export async function writeLayout(directory: string, image: LayoutImage, signal: AbortSignal): Promise<void> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  for (const { descriptor, open } of image.blobs) {
    const path = join(directory, blobPath(descriptor.digest));
    // The name is not proof: what was damaged since is written again.
    if ((await digestThere(path, descriptor.size)) === descriptor.digest) continue;
    await replaceFileWith(path, async (to) => pipeline(await open(), to, { signal }));
  }
  const own = { durable: true };
  await replaceFile(join(directory, blobPath(digestOf(image.manifest))), image.manifest, own);
  await replaceFile(join(directory, 'oci-layout'), LAYOUT, own);
  const before = await readFile(join(directory, 'index.json'), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  const entry = entryOf(image);
  const known = before === undefined ? [] : Index.parse(parseJson(before)).manifests;
  const others = known.filter(
    ({ annotations = {}, digest }) =>
      digest !== entry.digest && (image.tag === undefined || annotations[REF_NAME] !== image.tag),
  );
  await replaceFile(join(directory, 'index.json'), indexOf([...others, entry]), own);
}

async function digestThere(path: string, size: number): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() === true && facts.size === size ? `sha256:${await fileDigest(path)}` : undefined;
}

/** The same as one tar, blob by blob. */
export async function writeLayoutTar(file: string, image: LayoutImage, signal: AbortSignal): Promise<void> {
  await replaceFileWith(file, async (to) => writeTar(to, image, signal));
}

async function writeTar(to: Writable, image: LayoutImage, signal: AbortSignal): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, to, { signal });
  written.catch(() => undefined);
  try {
    const small = (name: string, content: string | Buffer): void => {
      tar.entry({ name, mode: 0o644, mtime: new Date(0) }, Buffer.from(content));
    };
    small('oci-layout', LAYOUT);
    small('index.json', indexOf([entryOf(image)]));
    small(blobPath(digestOf(image.manifest)), image.manifest);
    for (const { descriptor, open } of image.blobs) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const entry = tar.entry(
        { name: blobPath(descriptor.digest), mode: 0o644, size: descriptor.size, mtime: new Date(0) },
        (error) => (error ? reject(error) : resolve()),
      );
      await Promise.all([pipeline(await open(), entry, { signal }), promise]);
    }
    tar.finalize();
    await written;
  } catch (error) {
    tar.destroy();
    await written.catch(() => undefined);
    throw error;
  }
}

/** The image of a layout for this machine, manifest and configuration checked. @throws StagerError IMAGE_INVALID. */
export async function readLayout(directory: string): Promise<ImageDocuments> {
  let { manifests } = readIndex(await smallFile(directory, 'index.json'), directory);
  const seen = new Set<string>();
  for (let depth = 0; depth < MAX_INDEXES; depth += 1) {
    const chosen = manifests.length === 1 ? manifests[0] : chooseManifest(manifests, machineArch());
    if (chosen === undefined || seen.has(chosen.digest))
      throw invalidImage(directory, `it has no image for linux/${machineArch()}`, 'Use another image.');
    seen.add(chosen.digest);
    const bytes = await checkedBlob(directory, chosen.digest);
    const found = readDocument(bytes, directory);
    if (found.kind === 'index') {
      ({ manifests } = found.index);
      continue;
    }
    const { manifest } = found;
    const configText = await checkedBlob(directory, manifest.config.digest);
    return { digest: chosen.digest, manifest, config: readConfig(configText, directory), configText };
  }
  throw invalidImage(directory, 'its indexes are nested too deeply', 'Use another image.');
}

/** A blob's bytes from `start`. */
export async function openLayoutBlob(directory: string, digest: string, start = 0): Promise<Readable> {
  return createReadStream(join(directory, blobPath(digest)), { start });
}

async function checkedBlob(directory: string, digest: string): Promise<Buffer> {
  const bytes = await smallFile(directory, blobPath(digest));
  if (digestOf(bytes) !== digest)
    throw invalidImage(directory, `${digest} is ${digestOf(bytes)}`, 'Write the layout again.');
  return bytes;
}

async function smallFile(directory: string, name: string): Promise<Buffer> {
  const path = join(directory, name);
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true) throw invalidImage(directory, `${name} is missing`, 'Give an OCI layout.');
  if (facts.size > MAX_CONFIG_BYTES)
    throw invalidImage(directory, `${name} has ${facts.size} bytes`, 'Use another image.');
  return await readFile(path);
}

function readIndex(bytes: Buffer, directory: string): Index {
  const found = Index.safeParse(parseJson(bytes.toString('utf8')));
  if (found.success) return found.data;
  throw invalidImage(directory, z.prettifyError(found.error).slice(0, 500), 'Give an OCI layout.');
}

const REF_NAME = 'org.opencontainers.image.ref.name';

function entryOf({ manifest, mediaType, tag, name }: LayoutImage): Descriptor {
  const annotations = {
    ...(tag !== undefined && { [REF_NAME]: tag }),
    ...(name !== undefined && { 'io.containerd.image.name': name }),
  };
  return { mediaType, digest: digestOf(manifest), size: manifest.length, annotations };
}

const indexOf = (manifests: readonly Descriptor[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests });
