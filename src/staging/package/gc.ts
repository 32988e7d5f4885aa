/** Garbage collection of a whole store: retention of packages and droplets, then contents, then leftovers. */

import { RETENTION } from '../../config/limits.ts';
import { deleteOwn } from '../../stores/blobs/admin.ts';
import { heldBy, readLeases } from '../../stores/blobs/lease.ts';
import type { BlobKey, BlobName, BlobStore, Leftover } from '../../stores/blobs/port/blob-store.ts';
import { refuseServed } from '../../stores/blobs/served.ts';
import { ContentSet } from '../../stores/resource-cache/content-set.ts';
import { tenantsOf } from '../../stores/resource-cache/layout.ts';
import { type PoolSweepReport, sweepPool } from '../../stores/resource-cache/sweep.ts';
import { CLOCK_SKEW_MS } from '../../words/clock.ts';
import { filesOf, packagesByTenant, type StoredPackage } from './inventory.ts';

/** What to keep. */
export interface GcOptions {
  readonly signal: AbortSignal;
  readonly dryRun?: boolean;
  /** Newest packages kept of each app; default {@link RETENTION}, as Cloud Foundry. */
  readonly keepPackages?: number;
  /** Newest droplets kept of each app; the same. */
  readonly keepDroplets?: number;
  /** What is younger is never removed. */
  readonly graceMs?: number;
  /**
   * Which app a droplet belongs to and whether it must stay (current droplet, one that is being staged). Without it,
   * droplets are not touched: a store alone can't know.
   */
  readonly dropletOwner?: (
    name: string,
  ) => Promise<{ readonly app: string; readonly keep: boolean } | undefined>;
  /** Package guids that must stay, beside those that leases hold. */
  readonly keep?: ReadonlySet<string>;
}

/** What was removed, or would be. */
export interface GcReport {
  readonly packages: readonly BlobKey[];
  readonly droplets: readonly BlobKey[];
  /** Packs of contents that were deleted, and packs that will be after the grace period. */
  readonly deletedPacks: number;
  readonly condemnedPacks: number;
  /** Packs that were mostly dead, or small and many: what is needed of them was copied to new ones. */
  readonly rewrittenPacks: number;
  /** Contents that packages need and no index knows; a repair finds what is there of them. */
  readonly missingContents: number;
  readonly leftovers: readonly Leftover[];
  readonly freedBytes: number;
  /** Leases that were honoured, for people. */
  readonly leases: readonly string[];
}

/**
 * Collects garbage. May run beside uploads, stagings and other collections, in any process; killed at any moment, the
 * next run goes on.
 *
 * @throws StagerError BLOBSTORE_*, CANCELLED; CONFIG_INVALID for the store of a server; BLOB_CORRUPT when a listing can't be read: what it needs is not known
 * then, so nothing of its tenant is removed.
 */
export async function collectGarbage(store: BlobStore, options: GcOptions): Promise<GcReport> {
  const { signal } = options;
  const graceMs = options.graceMs ?? RETENTION.minAgeMs;
  const dry = options.dryRun === true ? { dryRun: true } : {};
  await store.demandWhole({ signal, ...dry });
  await refuseServed(store, signal);
  const beganMs = await store.now({ signal });
  const leases = await readLeases(store, { signal, ...dry });
  // What came after a lease began can be its holder's, who may not have told anybody yet that it exists.
  const oldestUploadMs = Math.min(beganMs, ...leases.map(({ startedAtMs }) => startedAtMs - CLOCK_SKEW_MS));
  const cutoffMs = Math.min(beganMs - graceMs, oldestUploadMs);
  const byTenant = await packagesByTenant({ store, signal });
  const droplets = await oldDroplets(store, { ...options, cutoffMs, held: heldBy(leases) });
  const packages: StoredPackage[] = [];
  const pools: PoolSweepReport[] = [];
  // One tenant after the other, so that no more than the contents of one are in memory.
  for (const tenant of new Set([...byTenant.keys(), ...(await tenantsOf(store, signal))])) {
    const bounds = { ...options, cutoffMs, held: heldBy(leases) };
    const { expired, live } = await packagesOf(store, byTenant.get(tenant) ?? [], bounds);
    if (options.dryRun !== true) for (const { key } of expired) await deleteOwn(store, key, signal);
    packages.push(...expired);
    pools.push(
      await sweepPool(store, tenant, { signal, graceMs, ...dry, oldestUploadMs, live, nowMs: beganMs }),
    );
  }
  const removed: BlobName[] = [];
  for (const droplet of droplets)
    if (options.dryRun === true || (await deleteOwn(store, droplet.key, signal))) removed.push(droplet);
  const minAgeMs = (await store.now({ signal })) - cutoffMs;
  const leftovers = await store.sweep({ signal, ...dry, minAgeMs, beganMs });
  return {
    packages: packages.map(({ key }) => key),
    droplets: removed.map(({ key }) => key),
    deletedPacks: sum(pools, ({ deleted }) => deleted.length),
    condemnedPacks: sum(pools, ({ condemned }) => condemned.length),
    rewrittenPacks: sum(pools, ({ rewritten }) => rewritten.length),
    missingContents: sum(pools, ({ missing }) => missing),
    leftovers,
    freedBytes:
      sum([...packages, ...removed, ...leftovers], ({ sizeBytes }) => sizeBytes) +
      sum(pools, ({ deletedBytes }) => deletedBytes),
    leases: leases.map(({ purpose }) => purpose),
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** What may go: not what a lease holds, not what came after `cutoffMs` (milliseconds since the epoch). */
interface Bounds {
  readonly held: ReadonlySet<string>;
  readonly cutoffMs: number;
}

/** Decides which of a tenant's packages go, and gathers what the others need: one pass over the listings that stay. */
async function packagesOf(
  store: BlobStore,
  packages: readonly StoredPackage[],
  options: GcOptions & Bounds,
): Promise<{ readonly expired: readonly StoredPackage[]; readonly live: ContentSet }> {
  const { signal } = options;
  const keep = new Set(
    [...options.held, ...(options.keep ?? [])].map((key) => key.replace(/^packages\//, '')),
  );
  const expired = expiredOf(
    packages.filter(({ key }) => !keep.has(key.name)),
    { ...options, keepNewest: options.keepPackages ?? RETENTION.keepPackages },
  );
  const live = new ContentSet();
  const addNeeds = async ({ guid }: StoredPackage): Promise<void> => {
    for await (const file of filesOf({ store, signal }, guid)) live.add(file);
  };
  const gone = new Set(expired);
  for (const item of packages) if (!gone.has(item)) await addNeeds(item);
  // Reading the listings took a while. A staging that began meanwhile has its package.
  const held = expired.length === 0 ? new Set() : heldBy(await readLeases(store, { signal, dryRun: true }));
  const isHeld = ({ key }: StoredPackage): boolean => held.has(`packages/${key.name}`);
  for (const item of expired) if (isHeld(item)) await addNeeds(item);
  return { expired: expired.filter((item) => !isHeld(item)), live };
}

function expiredOf<T extends BlobName & { readonly owner: string }>(
  found: readonly T[],
  { keepNewest, cutoffMs }: { readonly keepNewest: number; readonly cutoffMs: number },
): readonly T[] {
  return [...Map.groupBy(found, ({ owner }) => owner).values()].flatMap((group) =>
    group
      .toSorted((a, b) => b.modifiedAtMs - a.modifiedAtMs)
      .slice(keepNewest)
      .filter(({ modifiedAtMs }) => Math.floor(modifiedAtMs) <= cutoffMs),
  );
}

async function oldDroplets(store: BlobStore, options: GcOptions & Bounds): Promise<readonly BlobName[]> {
  const { dropletOwner, signal, cutoffMs } = options;
  if (dropletOwner === undefined) return [];
  const found: (BlobName & { readonly owner: string })[] = [];
  for await (const blob of store.names('droplets', { signal })) {
    const owner = await dropletOwner(blob.key.name);
    if (owner === undefined || owner.keep || options.held.has(`droplets/${blob.key.name}`)) continue;
    found.push({ ...blob, owner: owner.app });
  }
  return expiredOf(found, { keepNewest: options.keepDroplets ?? RETENTION.keepDroplets, cutoffMs });
}
