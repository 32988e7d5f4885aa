/** The blobstore for the library: what `stager blobs` does. */
import type { Readable } from 'node:stream';
import { openStager } from '../../compose.ts';
import { appOfDroplet } from '../../staging/droplet/store.ts';
import { collectGarbage, type GcReport } from '../../staging/package/gc.ts';
import { type BrokenPackage, brokenPackages, repairPools } from '../../staging/package/repair.ts';
import {
  diskUsage,
  listBlobNames,
  type Usage,
  type VerifyReport,
  verifyBlobs,
} from '../../stores/blobs/admin.ts';
import { withLease } from '../../stores/blobs/lease.ts';
import type { BlobKind, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { parseBlobKey } from '../../stores/blobs/port/key.ts';
import type { RepairReport } from '../../stores/resource-cache/repair.ts';
import type { StoredBlob } from '../../words/staging-record.ts';
import { type CommonOptions, configOf } from './options.ts';

/** Options of `openBlobs`. */
export type BlobsOptions = Pick<CommonOptions, 'home' | 'blobstore' | 'caFile' | 'signal'>;

/** Which blobs; default all. */
export interface BlobsQuery {
  readonly kinds?: readonly BlobKind[];
  /** Only names that begin so. */
  readonly prefix?: string;
}

/** A blob as a listing shows it. */
export interface BlobEntry {
  /** `kind/name`, as every call takes it. */
  readonly key: string;
  readonly sizeBytes: number;
  /** ISO 8601 in UTC. */
  readonly modifiedAt: string;
}

/** What to keep. Counts are per app. */
export interface BlobsGcOptions {
  /** Default 5. */
  readonly keepPackages?: number;
  /** Default 5. */
  readonly keepDroplets?: number;
  /** What is younger stays, in milliseconds; default one hour. */
  readonly minAgeMs?: number;
  /** Say what would go, delete nothing. */
  readonly dryRun?: boolean;
}

/** What a repair found, and packages that can't be staged after it. */
export interface BlobsRepair {
  readonly resourceCaches: readonly RepairReport[];
  readonly packages: readonly BrokenPackage[];
}

/** A blobstore. Every call may reject with BLOBSTORE_*, BLOB_NOT_FOUND, BLOB_CORRUPT, USAGE (a bad key), CANCELLED. */
export interface Blobs {
  /** Address without a secret. */
  readonly url: string;
  list(query?: BlobsQuery): AsyncIterable<BlobEntry>;
  /** The stream fails with BLOB_CORRUPT at its end when the bytes are not those that were stored. */
  get(key: string): Promise<Readable>;
  /** Stores a file, or a stream to its end. */
  put(key: string, from: string | Readable): Promise<StoredBlob>;
  /** Deleting what is not there is fine. */
  remove(key: string): Promise<void>;
  /** Reads every blob and compares it with its record. */
  verify(query?: BlobsQuery): Promise<VerifyReport>;
  repair(options?: { readonly dryRun?: boolean }): Promise<BlobsRepair>;
  collectGarbage(options?: BlobsGcOptions): Promise<GcReport>;
  usage(): Promise<readonly Usage[]>;
}

/** Opens the blobstore that the options name, or the one in the data home. */
export async function openBlobs(options: BlobsOptions = {}): Promise<Blobs> {
  const store = await openStager(await configOf(options)).blobs();
  const signal = options.signal ?? new AbortController().signal;
  return {
    url: store.url,
    list: (query) => entries(store, { ...query, signal }),
    get: async (key) => (await store.get(parseBlobKey(key), { signal })).body,
    put: async (key, from) => await put(store, key, { from, signal }),
    remove: async (key) => await store.delete(parseBlobKey(key), { signal }),
    verify: async (query) => await verifyBlobs(store, { ...query, signal }),
    repair: async ({ dryRun = false } = {}) => await repair(store, { dryRun, signal }),
    collectGarbage: async (wishes) => await gc(store, { ...wishes, signal }),
    usage: async () => await diskUsage(store, { signal }),
  };
}

async function* entries(
  store: BlobStore,
  query: BlobsQuery & { readonly signal: AbortSignal },
): AsyncGenerator<BlobEntry, void, void> {
  for await (const { key, sizeBytes, modifiedAtMs } of listBlobNames(store, query)) {
    yield { key: `${key.kind}/${key.name}`, sizeBytes, modifiedAt: new Date(modifiedAtMs).toISOString() };
  }
}

async function put(
  store: BlobStore,
  name: string,
  { from, signal }: { readonly from: string | Readable; readonly signal: AbortSignal },
): Promise<StoredBlob> {
  const key = parseBlobKey(name);
  const options = { contentType: 'application/octet-stream', signal };
  const lease = { purpose: `put ${name}`, holds: [key], signal };
  const { sizeBytes, sha1, sha256 } = await withLease(store, lease, () =>
    typeof from === 'string' ? store.putFile(key, from, options) : store.put(key, from, options),
  );
  return { location: store.location(key), sizeBytes, sha1, sha256 };
}

async function repair(
  store: BlobStore,
  io: { readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<BlobsRepair> {
  const resourceCaches = await repairPools(store, io);
  const packages: BrokenPackage[] = [];
  // Without its index nothing can be said of packages.
  if (io.dryRun && resourceCaches.some(({ damagedSegments }) => damagedSegments > 0)) {
    return { resourceCaches, packages };
  }
  for await (const broken of brokenPackages({ store, signal: io.signal })) packages.push(broken);
  return { resourceCaches, packages };
}

async function gc(
  store: BlobStore,
  { minAgeMs, ...rest }: BlobsGcOptions & { readonly signal: AbortSignal },
): Promise<GcReport> {
  return await collectGarbage(store, {
    ...rest,
    ...(minAgeMs !== undefined && { graceMs: minAgeMs }),
    dropletOwner: async (name) => {
      const app = appOfDroplet(name);
      return app === undefined ? undefined : { app, keep: false };
    },
  });
}
