/** OCI image layouts: a directory, or a tar of one (image-layout.md of the OCI image specification). */
import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { z } from 'zod';
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
  MEDIA,
  machineArch,
  readConfig,
  readDocument,
} from './documents.ts';
import {
  blobPath,
  checkedBlob,
  inTheWay,
  isBlobThere,
  refusal,
  smallFile,
  WRITE_AGAIN,
} from './layout-files.ts';

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

/**
 * Adds an image to the layout in `directory`, which is made if it is not there. A tag of that name moves. What is damaged
 * there of this image is written again.
 *
 * @throws StagerError CONFIG_INVALID, with its path, for what is in the way.
 */
export async function writeLayout(directory: string, image: LayoutImage, signal: AbortSignal): Promise<void> {
  const index = join(directory, 'index.json');
  await makeBlobs(directory);
  const others = await imagesBeside(index, image);
  for (const { descriptor, open } of image.blobs) {
    if (await isBlobThere(directory, descriptor)) continue;
    const path = join(directory, blobPath(descriptor.digest));
    await replaceFileWith(path, async (to) => pipeline(await open(), to, { signal }));
  }
  await putFile(join(directory, blobPath(digestOf(image.manifest))), image.manifest);
  await putFile(join(directory, 'oci-layout'), LAYOUT);
  await putFile(index, indexOf([...others, entryOf(image)]));
}

async function makeBlobs(directory: string): Promise<void> {
  for (const path of [directory, join(directory, 'blobs'), join(directory, 'blobs', 'sha256')]) {
    try {
      await mkdir(path, { recursive: true });
      await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw unlessFull(error, path);
    }
  }
}

/** What the layout names besides. */
async function imagesBeside(index: string, image: LayoutImage): Promise<readonly Descriptor[]> {
  const text = await readFile(index, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unlessFull(error, index);
  });
  if (text === undefined) return [];
  const { data } = Index.safeParse(parseJson(text));
  // Other images may be named there, and nobody else knows their tags.
  if (data === undefined) throw inTheWay(index, 'does not say which images there are');
  const { digest } = entryOf(image);
  return data.manifests.filter(
    (it) => it.digest !== digest && (image.tag === undefined || it.annotations?.[REF_NAME] !== image.tag),
  );
}

async function putFile(path: string, content: string | Buffer): Promise<void> {
  await replaceFile(path, content, { durable: true }).catch((error: unknown) => {
    throw unlessFull(error, path);
  });
}

/** A full disk is told as such, by its code. */
const unlessFull = (error: unknown, path: string): unknown =>
  /^(ENOSPC|EDQUOT|EFBIG)$/.test(errnoOf(error) ?? 'EFBIG') ? error : inTheWay(path, refusal(error), error);

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

function readIndex(bytes: Buffer, directory: string): Index {
  const found = Index.safeParse(parseJson(bytes.toString('utf8')));
  if (found.success) return found.data;
  const why = z.prettifyError(found.error).slice(0, 500);
  throw invalidImage(directory, `${join(directory, 'index.json')} is not an index: ${why}`, WRITE_AGAIN);
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
