/** What an operator does with a store: list, verify, measure. The commands `stager blobs …` print what these return. */
import { finished } from 'node:stream/promises';
import { isStagerError, throwIfCancelled } from '../../words/errors.ts';
import type { BlobInfo, BlobKey, BlobKind, BlobName, BlobStore, ListOptions } from './port/blob-store.ts';
import { BLOB_KINDS } from './port/key.ts';

/** Which blobs. */
export interface AdminQuery {
  readonly signal: AbortSignal;
  /** Default: every kind. */
  readonly kinds?: readonly BlobKind[];
  readonly prefix?: string;
}

/** Blobs of the kinds asked for, kind after kind. */
export async function* listBlobs(store: BlobStore, query: AdminQuery): AsyncGenerator<BlobInfo, void, void> {
  for (const kind of query.kinds ?? BLOB_KINDS) yield* store.list(kind, optionsOf(query));
}

/** As {@link listBlobs}, without digests. */
export async function* listBlobNames(
  store: BlobStore,
  query: AdminQuery,
): AsyncGenerator<BlobName, void, void> {
  for (const kind of query.kinds ?? BLOB_KINDS) yield* store.names(kind, optionsOf(query));
}

function optionsOf({ signal, prefix }: AdminQuery): ListOptions {
  return prefix === undefined ? { signal } : { signal, prefix };
}

/** A blob that is not what its record says. */
export interface Damage {
  readonly key: BlobKey;
  readonly location: string;
  /** For people. */
  readonly problem: string;
}

/** What a verification found. */
export interface VerifyReport {
  readonly checked: number;
  readonly bytes: number;
  readonly damaged: readonly Damage[];
}

/** Reads every blob and compares it with its record. Nothing is changed; memory does not grow with size or number. */
export async function verifyBlobs(
  store: BlobStore,
  query: AdminQuery & { readonly onBlob?: (key: BlobKey) => void },
): Promise<VerifyReport> {
  await store.demandWhole({ signal: query.signal, dryRun: true });
  const damaged: Damage[] = [];
  let checked = 0;
  let bytes = 0;
  for (const kind of query.kinds ?? BLOB_KINDS) {
    // By name, not by record: a record that contradicts its blob must be reported, not end the run.
    const names = store.names(kind, { ...optionsOf(query), dangling: true });
    for await (const { key, sizeBytes, dangling } of names) {
      throwIfCancelled(query.signal);
      query.onBlob?.(key);
      const problem = dangling === true ? 'its bytes are gone' : await problemOf(store, key, query.signal);
      if (problem === 'gone') continue;
      checked++;
      bytes += sizeBytes;
      if (problem !== undefined) damaged.push({ key, location: store.location(key), problem });
    }
  }
  return { checked, bytes, damaged };
}

async function problemOf(store: BlobStore, key: BlobKey, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { body } = await store.get(key, { signal });
    body.resume();
    await finished(body);
    return undefined;
  } catch (error) {
    if (isStagerError(error, 'BLOB_NOT_FOUND'))
      return (await isListed(store, key, signal))
        ? 'it is listed, and has no record of stager (any more)'
        : 'gone';
    if (isStagerError(error, 'BLOB_CORRUPT')) return error.message;
    throw error;
  }
}

/** Whether a listing shows the key, readable or not. */
export async function isListed(store: BlobStore, key: BlobKey, signal: AbortSignal): Promise<boolean> {
  for await (const found of store.names(key.kind, { signal, prefix: key.name }))
    if (found.key.name === key.name) return true;
  return false;
}

/**
 * Deletes a blob that carries stager's record, damaged or not. What only has a blob's name is somebody else's, or lost
 * its record, and stays.
 */
export async function deleteOwn(store: BlobStore, key: BlobKey, signal: AbortSignal): Promise<boolean> {
  const isOwn = await store.stat(key, { signal }).then(
    (info) => info !== undefined,
    (error: unknown) => {
      if (isStagerError(error, 'BLOB_CORRUPT')) return true;
      throw error;
    },
  );
  if (isOwn) await store.delete(key, { signal });
  return isOwn;
}

/** What a kind holds. */
export interface Usage {
  readonly kind: BlobKind;
  readonly blobs: number;
  readonly bytes: number;
}

/** Number and size of the blobs of each kind. */
export async function diskUsage(store: BlobStore, query: AdminQuery): Promise<readonly Usage[]> {
  const usage: Usage[] = [];
  for (const kind of query.kinds ?? BLOB_KINDS) {
    let blobs = 0;
    let bytes = 0;
    for await (const { sizeBytes } of store.names(kind, optionsOf(query))) {
      blobs++;
      bytes += sizeBytes;
    }
    usage.push({ kind, blobs, bytes });
  }
  return usage;
}
