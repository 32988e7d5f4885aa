/** Garbage collection of a whole store: retention of packages and droplets, then contents, then leftovers. */
import type { BlobKey, BlobName, BlobStore, Leftover } from '../blobs/blob-store.ts';
import { heldBy, LEASE_PREFIX, readLeases } from '../blobs/lease.ts';
import { isStagerError, throwIfCancelled } from '../errors.ts';
import { type Guid, parseGuid, type Sha256 } from '../ids.ts';
import { sweepPool } from '../pool/sweep.ts';
import { readListing } from './listing.ts';

const DAY_MS = 86_400_000;
/** Clocks of stores and machines differ, and stores round times. */
const CLOCKS_MS = 60_000;

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
  const leases = await readLeases(store, { signal, ...dry });
  const keep = new Set(
    [...heldBy(leases), ...(options.keep ?? [])].map((key) => key.replace(/^packages\//, '')),
  );
  const began = leases.map(({ startedAtMs }) => startedAtMs);
  // What came after a lease began can be its holder's, who may not have told anybody yet that it exists.
  const minAgeMs = Math.max(graceMs, ...began.map((at) => Date.now() - at + CLOCKS_MS));
  const packages = await packagesOf(store, { signal, keep, keepNewest: options.keepPackages ?? 5, minAgeMs });
  const droplets = await oldDroplets(store, { ...options, minAgeMs, held: heldBy(leases) });
  if (options.dryRun !== true) {
    for (const { key } of [...packages.expired, ...droplets]) await store.delete(key, { signal });
  }
  let [deletedPacks, condemnedPacks, freedBytes] = [0, 0, sizeOf([...packages.expired, ...droplets])];
  for (const tenant of await tenantsOf(store, signal)) {
    const live = packages.live.get(tenant) ?? new Set<Sha256>();
    const report = await sweepPool(store, tenant, {
      signal,
      graceMs,
      ...dry,
      ...(began.length === 0 ? {} : { oldestUploadMs: Math.min(...began) }),
      isLive: (sha256) => live.has(sha256),
    });
    deletedPacks += report.deleted.length;
    condemnedPacks += report.condemned.length;
    freedBytes += report.deletedBytes;
  }
  const leftovers = await store.sweep({ signal, minAgeMs, ...dry });
  return {
    packages: packages.expired.map(({ key }) => key),
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

/** Decides which packages go, and gathers what the others need: one pass over the listings that stay. */
async function packagesOf(
  store: BlobStore,
  options: {
    readonly signal: AbortSignal;
    readonly keep: ReadonlySet<string>;
    readonly keepNewest: number;
    readonly minAgeMs: number;
  },
): Promise<{ readonly expired: readonly Found[]; readonly live: ReadonlyMap<string, ReadonlySet<Sha256>> }> {
  const { signal } = options;
  const found: Found[] = [];
  for await (const blob of store.names('packages', { signal })) {
    if (blob.key.name.startsWith(LEASE_PREFIX)) continue;
    const guid = parseGuid(blob.key.name);
    const head = guid === undefined ? undefined : await headerOf(store, guid, signal);
    if (guid === undefined || head === undefined) continue;
    found.push({ ...blob, guid, tenant: head.tenant, owner: `${head.tenant} ${head.app ?? ''}` });
  }
  const expired = expiredOf(found, options);
  const gone = new Set(expired.map(({ guid }) => guid));
  const live = new Map<string, Set<Sha256>>();
  for (const { guid, tenant } of found) {
    if (gone.has(guid)) continue;
    throwIfCancelled(signal);
    const needed = live.get(tenant) ?? new Set<Sha256>();
    live.set(tenant, needed);
    const { entries } = await readListing(store, guid, { signal });
    for await (const entry of entries) if (entry.kind === 'file') needed.add(entry.sha256);
  }
  return { expired, live };
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
  options: { readonly keep: ReadonlySet<string>; readonly keepNewest: number; readonly minAgeMs: number },
): readonly T[] {
  const now = Date.now();
  return [...Map.groupBy(found, ({ owner }) => owner).values()].flatMap((group) =>
    group
      .filter(({ key }) => !options.keep.has(key.name))
      .sort((a, b) => b.modifiedAtMs - a.modifiedAtMs)
      .slice(options.keepNewest)
      .filter(({ modifiedAtMs }) => now - modifiedAtMs >= options.minAgeMs),
  );
}

async function oldDroplets(
  store: BlobStore,
  options: GcOptions & { readonly minAgeMs: number; readonly held: ReadonlySet<string> },
): Promise<readonly BlobName[]> {
  const { dropletOwner, signal } = options;
  if (dropletOwner === undefined) return [];
  const found: (BlobName & { readonly owner: string })[] = [];
  for await (const blob of store.names('droplets', { signal })) {
    const owner = await dropletOwner(blob.key.name);
    if (owner === undefined || owner.keep || options.held.has(`droplets/${blob.key.name}`)) continue;
    found.push({ ...blob, owner: owner.app });
  }
  return expiredOf(found, {
    keep: new Set(),
    keepNewest: options.keepDroplets ?? 5,
    minAgeMs: options.minAgeMs,
  });
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
