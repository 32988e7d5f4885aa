/** Lists all packages of a store by their headers. */

import { isListed } from '../../stores/blobs/admin.ts';
import { LEASE_PREFIX } from '../../stores/blobs/lease.ts';
import type { BlobName, BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { isStagerError, StagerError, throwIfCancelled } from '../../words/errors.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import { type ListedFile, type ListingHeader, readListing } from './listing.ts';

/** A package as an inventory has it. */
export interface StoredPackage extends BlobName {
  readonly guid: Guid;
  readonly tenant: string;
  /** The app, with its tenant; packages without one belong together. */
  readonly owner: string;
}

/** Which store and how to stop. */
export interface InventoryAccess {
  readonly store: BlobStore;
  readonly signal: AbortSignal;
}

/** Every package, by tenant. @throws StagerError BLOB_CORRUPT when a header can't be read, unless told to. */
export async function packagesByTenant(
  { store, signal }: InventoryAccess,
  onDamaged?: (guid: Guid) => void,
): Promise<ReadonlyMap<string, readonly StoredPackage[]>> {
  const found: StoredPackage[] = [];
  for await (const blob of store.names('packages', { signal })) {
    const guid = parseGuid(blob.key.name);
    if (guid === undefined || blob.key.name.startsWith(LEASE_PREFIX)) continue;
    const listing = await listingOf({ store, signal }, guid).catch((error: unknown) => {
      if (onDamaged === undefined || !isStagerError(error, 'BLOB_CORRUPT')) throw error;
      onDamaged(guid);
      return 'damaged' as const;
    });
    if (listing === 'damaged') continue;
    listing?.close();
    if (listing === undefined) {
      // Deleted meanwhile; or there and without a record, and then what it needs is not known.
      if (!(await isListed(store, blob.key, signal))) continue;
      if (onDamaged === undefined) throw unreadable(store, guid);
      onDamaged(guid);
      continue;
    }
    const { tenant, app = '' }: ListingHeader = listing.header;
    found.push({ ...blob, guid, tenant, owner: `${tenant} ${app}` });
  }
  return Map.groupBy(found, ({ tenant }) => tenant);
}

function unreadable(store: BlobStore, guid: Guid): StagerError {
  const location = store.location({ kind: 'packages', name: guid });
  return new StagerError(
    'BLOB_CORRUPT',
    `package ${guid} is listed but can't be read: ${location} has no record of stager. Was the bucket copied without metadata?`,
    {
      next: 'Restore its metadata, or delete it with `stager blobs rm` if it is not needed.',
      details: { location },
    },
  );
}

/** The files of a package; none when it was deleted meanwhile. @throws StagerError BLOB_CORRUPT. */
export async function* filesOf(io: InventoryAccess, guid: Guid): AsyncGenerator<ListedFile, void, void> {
  throwIfCancelled(io.signal);
  const listing = await listingOf(io, guid);
  try {
    for await (const entry of listing?.entries ?? []) if (entry.kind === 'file') yield entry;
  } catch (error) {
    if (!isStagerError(error, 'BLOB_NOT_FOUND')) throw error;
  }
}

/** Undefined when another process deleted it meanwhile. */
async function listingOf({ store, signal }: InventoryAccess, guid: Guid) {
  try {
    return await readListing(store, guid, { signal });
  } catch (error) {
    if (isStagerError(error, 'PACKAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}
