/** Garbage collection of a whole store: retention of packages and droplets, then contents, then leftovers. */
import type { BlobKey, BlobName, BlobStore, Leftover } from '../blobs/blob-store.ts';
import { heldBy, LEASE_PREFIX, readLeases } from '../blobs/lease.ts';
import { CLOCK_SKEW_MS } from '../clock.ts';
import { isStagerError, throwIfCancelled } from '../errors.ts';
import { type Guid, parseGuid, type Sha256 } from '../ids.ts';
import { sweepPool } from '../pool/sweep.ts';
import { readListing } from './listing.ts';

const DAY_MS = 86_400_000;

/** What to keep. */
export interface GcOptions {
  readonly signal: AbortSignal;
  readonly dryRun?: boolean;
  /** Newest packages kept of each app; default 5, as Cloud Foundry. */
  readonly keepPackages?: number;
  /** Newest droplets kept of each app; default 5, as Cloud Foundry. */
  readonly keepDroplets?: number;
  /** What is younger is never removed; default one day. */
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
  readonly leftovers: readonly Leftover[];
  readonly freedBytes: number;
  /** Leases that were honoured, for people. */
  readonly leases: readonly string[];
}

/**
 * Collects garbage. May run beside uploads, stagings and other collections, in any process; killed at any moment, the
 * next run goes on.
 *
 * @throws StagerError BLOBSTORE_*, CANCELLED; BLOB_CORRUPT when a listing can't be read: what it needs is not known
 * then, so nothing is removed.
 */
export async function collectGarbage(store: BlobStore, options: GcOptions): Promise<GcReport> {
  const { signal } = options;
  const graceMs = options.graceMs ?? DAY_MS;
  const dry = options.dryRun === true ? { dryRun: true } : {};
  const beganMs = Date.now();
  const leases = await readLeases(store, { signal, ...dry });
  // What came after a lease began can be its holder's, who may not have told anybody yet that it exists.
  const oldestUploadMs = Math.min(beganMs, ...leases.map(({ startedAtMs }) => startedAtMs - CLOCK_SKEW_MS));
  const cutoffMs = Math.min(beganMs - graceMs, oldestUploadMs);
  const { packages, live } = await packagesOf(store, { ...options, cutoffMs, held: heldBy(leases) });
  const droplets = await oldDroplets(store, { ...options, cutoffMs, held: heldBy(leases) });
  if (options.dryRun !== true) {
    for (const { key } of [...packages, ...droplets]) await store.delete(key, { signal });
  }
  let [deletedPacks, condemnedPacks, freedBytes] = [0, 0, sizeOf([...packages, ...droplets])];
  for (const tenant of await tenantsOf(store, signal)) {
    const needed = live.get(tenant) ?? new Set<Sha256>();
    const report = await sweepPool(store, tenant, {
      signal,
      graceMs,
      ...dry,
      oldestUploadMs,
      isLive: (sha256) => needed.has(sha256),
    });
    deletedPacks += report.deleted.length;
    condemnedPacks += report.condemned.length;
    freedBytes += report.deletedBytes;
  }
  const leftovers = await store.sweep({ signal, ...dry, minAgeMs: Date.now() - cutoffMs, beganMs });
  return {
    packages: packages.map(({ key }) => key),
    droplets: droplets.map(({ key }) => key),
    deletedPacks,
    condemnedPacks,
    leftovers,
    freedBytes: freedBytes + sizeOf(leftovers),
    leases: leases.map(({ purpose }) => purpose),
  };
}

const sizeOf = (items: readonly { readonly sizeBytes: number }[]): number =>
  items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

interface Found extends BlobName {
  readonly guid: Guid;
  readonly tenant: string;
  /** The app; a package without one is an app of its own tenant. */
  readonly owner: string;
}

/** Tenant → contents that its packages need. */
type Live = Map<string, Set<Sha256>>;

/** What may go: not what a lease holds, not what came after `cutoffMs` (milliseconds since the epoch). */
interface Bounds {
  readonly held: ReadonlySet<string>;
  readonly cutoffMs: number;
}

/** Decides which packages go, and gathers what the others need: one pass over the listings that stay. */
async function packagesOf(
  store: BlobStore,
  options: GcOptions & Bounds,
): Promise<{ readonly packages: readonly Found[]; readonly live: Live }> {
  const { signal } = options;
  const found: Found[] = [];
  for await (const blob of store.names('packages', { signal })) {
    if (blob.key.name.startsWith(LEASE_PREFIX)) continue;
    const guid = parseGuid(blob.key.name);
    const head = guid === undefined ? undefined : await headerOf(store, guid, signal);
    if (guid === undefined || head === undefined) continue;
    found.push({ ...blob, guid, tenant: head.tenant, owner: `${head.tenant} ${head.app ?? ''}` });
  }
  const keep = new Set(
    [...options.held, ...(options.keep ?? [])].map((key) => key.replace(/^packages\//, '')),
  );
  const expired = expiredOf(
    found.filter(({ key }) => !keep.has(key.name)),
    { ...options, keepNewest: options.keepPackages ?? 5 },
  );
  const live: Live = new Map();
  const gone = new Set(expired);
  for (const item of found) if (!gone.has(item)) await addNeeds(live, item, { store, signal });
  // Reading the listings took a while. A staging that began meanwhile has its package.
  const held = heldBy(await readLeases(store, { signal, dryRun: true }));
  const isHeld = ({ key }: Found): boolean => held.has(`packages/${key.name}`);
  for (const item of expired) if (isHeld(item)) await addNeeds(live, item, { store, signal });
  return { packages: expired.filter((item) => !isHeld(item)), live };
}

async function addNeeds(
  live: Live,
  { guid, tenant }: Found,
  { store, signal }: { readonly store: BlobStore; readonly signal: AbortSignal },
): Promise<void> {
  throwIfCancelled(signal);
  const needed = live.get(tenant) ?? new Set<Sha256>();
  live.set(tenant, needed);
  try {
    const { entries } = await readListing(store, guid, { signal });
    for await (const entry of entries) if (entry.kind === 'file') needed.add(entry.sha256);
  } catch (error) {
    // Deleted meanwhile: it needs nothing any more.
    if (!isStagerError(error, 'PACKAGE_NOT_FOUND', 'BLOB_NOT_FOUND')) throw error;
  }
}

async function headerOf(store: BlobStore, guid: Guid, signal: AbortSignal) {
  try {
    const { header, entries } = await readListing(store, guid, { signal });
    await entries.return();
    return header;
  } catch (error) {
    // Deleted meanwhile by another collection.
    if (isStagerError(error, 'PACKAGE_NOT_FOUND')) return undefined;
    throw error;
  }
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
  return expiredOf(found, { keepNewest: options.keepDroplets ?? 5, cutoffMs });
}

/** Tenants that have a pool. */
async function tenantsOf(store: BlobStore, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const tenants = new Set<string>();
  for await (const { key } of store.names('resources', { signal })) {
    const match = /^([a-z0-9][a-z0-9-]{0,63})\/(?:index|packs)\//.exec(key.name);
    if (match?.[1] !== undefined) tenants.add(match[1]);
  }
  return tenants;
}
