/** A stored package as a source, so that a workspace is made from it as from a directory. */
import { Readable } from 'node:stream';
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { LocatedResource } from '../../stores/resource-cache/format.ts';
import type { PackReader } from '../../stores/resource-cache/pack-reader.ts';
import { Pool } from '../../stores/resource-cache/pool.ts';
import { isStagerError, StagerError, throwIfCancelled } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import type { Source, SourceEntry } from '../source/entry.ts';
import { type ListedEntry, type ListingHeader, readListing } from './listing.ts';

/** Entries whose contents are looked up at once. */
const BATCH = 50_000;
/** Paths that a message names. */
const NAMED = 10;

/** A package that can be read. */
export type PackageSource = Source & { readonly header: ListingHeader };

/**
 * Opens a package. Its entries come in path order, each content verified as it is read.
 *
 * @throws StagerError PACKAGE_NOT_FOUND; from `entries` RESOURCE_MISSING naming the files whose contents are gone,
 * BLOB_CORRUPT, BLOBSTORE_*.
 */
export async function openPackage(
  guid: Guid,
  options: { readonly store: BlobStore; readonly signal: AbortSignal },
): Promise<PackageSource> {
  const { store } = options;
  const { header, close } = await readListing(store, guid, options);
  close();
  return {
    header,
    description: `package ${guid}`,
    kind: 'directory',
    hints: async () => [],
    entries: (io) => read(store, header, io.signal),
  };
}

async function* read(
  store: BlobStore,
  header: ListingHeader,
  signal: AbortSignal,
): AsyncGenerator<SourceEntry> {
  const pool = new Pool(store, header.tenant);
  const { entries } = await readListing(store, header.guid, { signal });
  const reader = pool.reader({ signal });
  let batch: ListedEntry[] = [];
  try {
    for await (const entry of entries) {
      batch.push(entry);
      if (batch.length < BATCH) continue;
      yield* opened(batch, { pool, reader, signal });
      batch = [];
    }
    yield* opened(batch, { pool, reader, signal });
  } finally {
    await entries.return();
  }
}

async function* opened(
  batch: readonly ListedEntry[],
  io: { readonly pool: Pool; readonly reader: PackReader; readonly signal: AbortSignal },
): AsyncGenerator<SourceEntry> {
  const files = batch.filter((entry) => entry.kind === 'file');
  const located = await io.pool.locate(files, io);
  const missing = files.filter((_, n) => located[n] === undefined);
  if (missing.length > 0) throw gone(missing.map(({ path }) => path));
  let next = 0;
  for (const entry of batch) {
    throwIfCancelled(io.signal);
    if (entry.kind !== 'file') {
      yield entry;
      continue;
    }
    const { path, mode, sizeBytes, mtimeMs } = entry;
    const resource: LocatedResource | undefined = located[next++];
    if (resource === undefined) throw gone([path]);
    const open = async (): Promise<Readable> =>
      Readable.from(healing(io.reader.open(resource), resource, io), { objectMode: false });
    yield { kind: 'file', path, mode, sizeBytes, mtimeMs, open };
  }
}

/**
 * Passes a content on. When its pack turns out to be gone or damaged, the pool is told before the failure is: so the
 * next upload sends what is missing instead of matching it again.
 */
async function* healing(
  body: Readable,
  { pack }: LocatedResource,
  io: { readonly pool: Pool; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    if (isStagerError(error, 'RESOURCE_MISSING', 'BLOB_CORRUPT')) {
      // Not for good: the pack may come back from a backup. A store that can't be written to does not hide the failure.
      await io.pool.retire([pack], { signal: io.signal, gone: false }).catch(() => undefined);
    }
    throw error;
  }
}

/** Contents that a package needs are not in the pool. */
export function gone(paths: readonly string[]): StagerError {
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
  return new StagerError(
    'RESOURCE_MISSING',
    `contents are gone from the resource cache: ${paths.slice(0, NAMED).join(', ')}${more}`,
    {
      next: 'Create the package again (`stager package create`): what is missing will be sent.',
      details: { paths: paths.slice(0, 1_000), count: paths.length },
    },
  );
}
