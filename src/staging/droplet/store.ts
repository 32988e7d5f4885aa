/** Packs a droplet out of a workspace and into the blobstore, in one pass; a copy for a person on request. */
import { type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { demandOutputFile, outputError } from '../../machine/host/output-file.ts';
import { replaceFileWith } from '../../machine/host/replace-file.ts';
import { callersMode } from '../../machine/host/umask.ts';
import type { BlobInfo, BlobKey, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { throwIfCancelled } from '../../words/errors.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import type { StoredBlob } from '../../words/staging-record.ts';
import { type DropletDirectories, dropletContents } from './contents.ts';
import { DEFAULT_COMPRESSION, tarballContentType } from './pack/compression.ts';
import { type PackedTarball, type PackOptions, type PackSummary, packTarball } from './pack/tarball.ts';

/** What to pack. */
export interface DropletInput {
  readonly app: Guid;
  readonly guid: Guid;
  readonly directories: DropletDirectories;
  /** Content of staging_info.yml. */
  readonly stagingInfo: string;
  readonly pack: Omit<PackOptions, 'signal'>;
}

/** Where it goes and who listens. */
export interface StoreIo {
  readonly blobs: BlobStore;
  readonly signal: AbortSignal;
  /** Bytes of the droplet so far. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * The key of a droplet: app, then droplet, so that retention by app needs no record. Cloud Controller has
 * `<guid>/<sha1>`, and a stream has its sha1 only at its end.
 */
export function dropletKey(app: Guid, guid: Guid): BlobKey {
  return { kind: 'droplets', name: `${app}/${guid}` };
}

/** The app of the droplet with this blob name, or undefined when {@link dropletKey} did not make it. */
export function appOfDroplet(name: string): Guid | undefined {
  const [app = '', guid = '', ...rest] = name.split('/');
  return rest.length === 0 && parseGuid(guid) !== undefined ? parseGuid(app) : undefined;
}

/**
 * Packs and stores. Nothing is visible under the key before all of it is there and its digests are known.
 *
 * @throws StagerError DROPLET_PACK_FAILED, those of {@link BlobStore}, CANCELLED.
 */
export async function storeDroplet(
  input: DropletInput,
  { blobs, signal, onBytes }: StoreIo,
): Promise<{ readonly stored: StoredBlob & { readonly guid: Guid }; readonly summary: PackSummary }> {
  const { directories, stagingInfo, pack } = input;
  const packed = packTarball(dropletContents(directories, stagingInfo), { ...pack, signal });
  return await storePacked({ ...input, packed, ...pack }, { blobs, signal, onBytes });
}

/** As {@link storeDroplet}, for what is packed already. */
export async function storePacked(
  input: Pick<DropletInput, 'app' | 'guid'> &
    Pick<PackOptions, 'compression'> & { readonly packed: PackedTarball },
  { blobs, signal, onBytes }: StoreIo,
): Promise<{ readonly stored: StoredBlob & { readonly guid: Guid }; readonly summary: PackSummary }> {
  const { app, guid, packed, compression } = input;
  const info = await blobs.put(dropletKey(app, guid), counted(packed.body, onBytes), {
    contentType: tarballContentType(compression ?? DEFAULT_COMPRESSION),
    signal,
  });
  return { stored: { guid, ...storedBlob(info, blobs) }, summary: await packed.summary };
}

/** A blob as a record names it. */
export function storedBlob(info: BlobInfo, blobs: BlobStore): StoredBlob {
  const { sizeBytes, sha1, sha256 } = info;
  return { location: blobs.location(info.key), sizeBytes, sha1, sha256 };
}

/**
 * Writes a stored blob to a file: aside, verified, synced, renamed.
 *
 * @throws StagerError CONFIG_INVALID when the file can't be written, HOST_DISK_FULL, those of {@link BlobStore}.
 */
export async function writeBlobTo(
  file: string,
  key: BlobKey,
  io: Pick<StoreIo, 'blobs' | 'signal'>,
): Promise<void> {
  await demandOutputFile(file);
  try {
    const { body } = await io.blobs.get(key, { signal: io.signal });
    const write = (to: Writable): Promise<void> => pipeline(body, to, { signal: io.signal });
    await replaceFileWith(file, write, { mode: callersMode(0o666) });
  } catch (error) {
    throwIfCancelled(io.signal);
    throw outputError(file, error);
  }
}

function counted(body: Readable, onBytes: (bytes: number) => void): Readable {
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      onBytes(bytes);
      done(null, chunk);
    },
  });
  body.once('error', (error) => counter.destroy(error));
  // A store may be busy with something else yet, and meets the error when it reads. Unheard, it would end the process.
  counter.on('error', () => undefined);
  counter.once('close', () => body.destroy());
  return body.pipe(counter);
}
