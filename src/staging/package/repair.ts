/** Repairing the resource cache of a whole store, and finding the packages that can't be read. */
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import { ContentSet } from '../../stores/resource-cache/content-set.ts';
import { packsOf, tenantsOf } from '../../stores/resource-cache/layout.ts';
import { Pool } from '../../stores/resource-cache/pool.ts';
import { type RepairOptions, type RepairReport, repairPool } from '../../stores/resource-cache/repair.ts';
import { servedContents } from '../../stores/resource-cache/served.ts';
import { isStagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import { filesOf, type InventoryAccess, packagesByTenant } from './inventory.ts';

/** Repairs the pool of every tenant. See {@link repairPool}. */
export async function repairPools(
  store: BlobStore,
  options: RepairOptions,
): Promise<readonly RepairReport[]> {
  const reports: RepairReport[] = [];
  for (const tenant of await tenantsOf(store, options.signal))
    reports.push(await repairPool(store, tenant, options));
  return reports;
}

/** A package that can't be staged. */
export interface BrokenPackage {
  readonly guid: Guid;
  /** Files whose contents are not there; undefined when the listing itself is damaged. */
  readonly missingFiles: number | undefined;
  /** The first of them. */
  readonly path?: string;
}

/**
 * Packages of which contents are missing: not in the index, or in packs that are gone. Contents are not read. One pass
 * over each tenant's index, and 16 to 32 bytes of memory for each of its contents.
 *
 * @throws StagerError BLOB_CORRUPT when an index is damaged.
 */
export async function* brokenPackages(io: InventoryAccess): AsyncGenerator<BrokenPackage, void, void> {
  const damaged: Guid[] = [];
  const packages = await packagesByTenant(io, (guid) => damaged.push(guid));
  for (const guid of damaged) yield { guid, missingFiles: undefined };
  for (const [tenant, some] of packages) {
    const available = await contentsOf(io, tenant);
    for (const { guid } of some) {
      const broken = await missingOf(io, guid, available);
      if (broken !== undefined) yield broken;
    }
  }
}

/** What is in packs that are there. Packs are listed twice, since a collection may move contents meanwhile. */
async function contentsOf(io: InventoryAccess, tenant: string): Promise<ContentSet> {
  const packs = new Set<string>();
  const addPacks = async (): Promise<void> => {
    for await (const { id } of packsOf(io, tenant)) packs.add(id);
  };
  await addPacks();
  return new Pool(io.store, tenant).query(io, async (snapshot) => {
    await addPacks();
    const available = new ContentSet();
    for await (const { content, pack } of servedContents(io, snapshot))
      if (packs.has(pack)) available.add(content);
    return available;
  });
}

async function missingOf(
  io: InventoryAccess,
  guid: Guid,
  available: ContentSet,
): Promise<BrokenPackage | undefined> {
  let missingFiles = 0;
  let first = '';
  try {
    for await (const file of filesOf(io, guid)) {
      if (available.has(file)) continue;
      if (missingFiles === 0) first = file.path;
      missingFiles++;
    }
  } catch (error) {
    if (isStagerError(error, 'BLOB_CORRUPT')) return { guid, missingFiles: undefined };
    throw error;
  }
  return missingFiles === 0 ? undefined : { guid, missingFiles, path: first };
}
