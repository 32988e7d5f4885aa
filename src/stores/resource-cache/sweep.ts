/**
 * Removing contents that no package needs, without ever taking one from a running upload.
 *
 * In two steps, at least a grace period apart. First a pack that nothing refers to is *condemned*: from then on it does
 * not match, so that no upload that begins later can refer to it. Later, when every upload that began before that has
 * ended (leases say so) and the packages have been looked at again, it is deleted. A pack that got a reference in
 * between stays, and stays unmatched. Packs that are mostly dead, or small and many, are rewritten (rewrite.ts).
 */
import { deleteOwn } from '../blobs/admin.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import type { ContentSet } from './content-set.ts';
import { packKey, packsOf } from './layout.ts';
import { Pool } from './pool.ts';
import { choosePacks, type PackUse, rewritePacks } from './rewrite.ts';
import type { StoreAccess } from './segment.ts';
import { servedContents, sizeOfContent } from './served.ts';
import type { Snapshot } from './snapshot.ts';

/** How to sweep one tenant's pool. */
export interface PoolSweepOptions {
  readonly signal: AbortSignal;
  readonly dryRun?: boolean;
  /** Packs younger than this are left alone, and condemned ones stay that long, in milliseconds. */
  readonly graceMs: number;
  /** When the oldest running upload began; undefined when there is none. */
  readonly oldestUploadMs?: number;
  /** The time by the store's clock; this machine's when absent. */
  readonly nowMs?: number;
  /** What packages need. */
  readonly live: ContentSet;
}

/** What the sweep did, or would do. */
export interface PoolSweepReport {
  /** Packs that were taken out of matching, since nothing needs them. */
  readonly condemned: readonly string[];
  /** Packs whose living contents were copied to new ones; they were taken out of matching. */
  readonly rewritten: readonly string[];
  /** Packs that were deleted. */
  readonly deleted: readonly string[];
  readonly deletedBytes: number;
  /** Contents that packages need and the index lacks. While there are any, packs that are not in the index stay. */
  readonly missing: number;
}

interface Pack extends PackUse {
  readonly atMs: number;
}

/** Sweeps one tenant's pool. */
export async function sweepPool(
  store: BlobStore,
  tenant: string,
  options: PoolSweepOptions,
): Promise<PoolSweepReport> {
  const { signal } = options;
  const pool = new Pool(store, tenant);
  const { snapshot, packs, live } = await pool.query({ signal }, (index) =>
    countLive({ store, signal }, index, options.live),
  );
  const missing = options.live.size - live;
  const leftovers = await addUnindexed({ store, signal }, tenant, { packs, snapshot, missing });
  const plan = { ...planOf(packs, snapshot, options), missing: Math.max(0, missing) };
  if (options.dryRun !== true) {
    const atMs = options.nowMs ?? Date.now();
    if (plan.condemned.length > 0) await pool.retire(plan.condemned, { signal, gone: false, atMs });
    if (plan.rewritten.length > 0)
      await rewritePacks(pool, { packs: plan.rewritten, live: options.live, signal });
    // The word first: an entry without its pack would match; a pack without an entry is found by the next sweep.
    if (plan.deleted.length > 0) await pool.retire(plan.deleted, { signal, gone: true, atMs });
    for (const id of [...plan.deleted, ...leftovers]) await deleteOwn(store, packKey(tenant, id), signal);
  }
  return plan;
}

function packsIn({ segments, dropped }: Snapshot): Map<string, Pack> {
  const packs = new Map<string, Pack>();
  for (const { meta } of segments) {
    for (const { id, sizeBytes, atMs } of meta.packs)
      if (!dropped.has(id)) packs.set(id, { sizeBytes, atMs, live: 0, liveBytes: 0 });
  }
  return packs;
}

/** Counts for every pack what it serves of what packages need; `live` is how many contents those are. */
async function countLive(
  io: StoreAccess,
  snapshot: Snapshot,
  needed: ContentSet,
): Promise<{ readonly snapshot: Snapshot; readonly packs: Map<string, Pack>; readonly live: number }> {
  const packs = packsIn(snapshot);
  let live = 0;
  for await (const { content, pack } of servedContents(io, snapshot)) {
    const use = packs.get(pack);
    if (use === undefined || !needed.has(content)) continue;
    live++;
    use.live++;
    use.liveBytes += sizeOfContent(content);
  }
  return { snapshot, packs, live };
}

/**
 * Packs whose writer died before it could put the index segment. When something is missing they may be what a lost
 * part of the index told of, and stay.
 *
 * @returns those that were to be deleted already.
 */
async function addUnindexed(
  io: StoreAccess,
  tenant: string,
  on: { readonly packs: Map<string, Pack>; readonly snapshot: Snapshot; readonly missing: number },
): Promise<readonly string[]> {
  const leftovers: string[] = [];
  for await (const { id, sizeBytes, modifiedAtMs } of packsOf(io, tenant)) {
    if (on.snapshot.dropped.has(id)) leftovers.push(id);
    else if (!on.packs.has(id) && on.missing <= 0)
      on.packs.set(id, { sizeBytes, atMs: modifiedAtMs, live: 0, liveBytes: 0 });
  }
  return leftovers;
}

function planOf(
  packs: ReadonlyMap<string, Pack>,
  { condemned }: Snapshot,
  { graceMs, oldestUploadMs, nowMs }: PoolSweepOptions,
): Omit<PoolSweepReport, 'missing'> {
  const now = nowMs ?? Date.now();
  const old = [...packs].filter(([, { atMs }]) => now - atMs >= graceMs);
  const dead = [...packs].filter(([, { live }]) => live === 0);
  const deleted = dead.filter(([id]) => {
    const since = condemned.get(id);
    return since !== undefined && now - since >= graceMs && since < (oldestUploadMs ?? now);
  });
  return {
    condemned: old.flatMap(([id, { live }]) => (live === 0 && !condemned.has(id) ? [id] : [])),
    rewritten: choosePacks(old),
    deleted: deleted.map(([id]) => id),
    deletedBytes: deleted.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0),
  };
}
