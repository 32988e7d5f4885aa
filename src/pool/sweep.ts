/**
 * Removing contents that no package needs, without ever taking one from an upload that is under way.
 *
 * In two steps, at least a grace period apart. First a pack that nothing refers to is *condemned*: from then on it does
 * not match, so that no upload that begins later can refer to it. Later, when every upload that began before that has
 * ended (leases say so) and the packages have been looked at again, it is deleted. A pack that got a reference in
 * between stays, and stays unmatched.
 */
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Sha256 } from '../ids.ts';
import { BLOCK_ENTRIES, decodeEntry, KEY_BYTES, ROW_BYTES } from './format.ts';
import { packKey, packPrefix } from './layout.ts';
import { Pool } from './pool.ts';
import { readBlocks, type Segment } from './segment.ts';
import type { Snapshot } from './snapshot.ts';

/** How to sweep one tenant's pool. */
export interface PoolSweepOptions {
  readonly signal: AbortSignal;
  readonly dryRun?: boolean;
  /** Packs younger than this are left alone, and condemned ones stay that long, in milliseconds. */
  readonly graceMs: number;
  /** When the oldest upload that is under way began; undefined when there is none. */
  readonly oldestUploadMs?: number;
  /** Whether a package needs the content. */
  readonly isLive: (sha256: Sha256) => boolean;
}

/** What the sweep did, or would do. */
export interface PoolSweepReport {
  /** Packs that were taken out of matching. */
  readonly condemned: readonly string[];
  /** Packs that were deleted. */
  readonly deleted: readonly string[];
  readonly deletedBytes: number;
  readonly liveResources: number;
  readonly deadResources: number;
}

interface PackCount {
  live: number;
  sizeBytes: number;
  atMs: number;
}

/** Sweeps one tenant's pool. */
export async function sweepPool(
  store: BlobStore,
  tenant: string,
  options: PoolSweepOptions,
): Promise<PoolSweepReport> {
  const { signal, graceMs } = options;
  const pool = new Pool(store, tenant);
  const snapshot = await pool.snapshot({ signal });
  const { packs, live, dead } = await countLive({ store, signal }, snapshot, options.isLive);
  await addUnindexed(store, tenant, { packs, signal });
  const now = Date.now();
  const condemn: string[] = [];
  const remove: string[] = [];
  for (const [id, pack] of packs) {
    if (pack.live > 0 || snapshot.dropped.has(id)) continue;
    const since = snapshot.condemned.get(id);
    if (since === undefined) {
      if (now - pack.atMs >= graceMs) condemn.push(id);
    } else if (now - since >= graceMs && since < (options.oldestUploadMs ?? now)) remove.push(id);
  }
  if (options.dryRun !== true) {
    if (condemn.length > 0) await pool.retire(condemn, { signal, gone: false });
    // The word first: an entry without its pack would match; a pack without an entry is found by the next sweep.
    if (remove.length > 0) await pool.retire(remove, { signal, gone: true });
    for (const id of remove) await store.delete(packKey(tenant, id), { signal });
    for (const id of snapshot.dropped.keys())
      if (packs.has(id)) await store.delete(packKey(tenant, id), { signal });
  }
  const deletedBytes = remove.reduce((sum, id) => sum + (packs.get(id)?.sizeBytes ?? 0), 0);
  return { condemned: condemn, deleted: remove, deletedBytes, liveResources: live, deadResources: dead };
}

/**
 * Counts for every pack the entries that a package needs. Of several packs with the same content one counts, and that
 * is one that still matches.
 */
async function countLive(
  io: { readonly store: BlobStore; readonly signal: AbortSignal },
  snapshot: Snapshot,
  isLive: (sha256: Sha256) => boolean,
): Promise<{ packs: Map<string, PackCount>; live: number; dead: number }> {
  const packs = new Map<string, PackCount>();
  for (const { meta } of snapshot.segments) {
    for (const { id, sizeBytes, atMs } of meta.packs) packs.set(id, { live: 0, sizeBytes, atMs });
  }
  const served = new Set<Sha256>();
  let dead = 0;
  for (const usable of [true, false]) {
    for (const segment of snapshot.segments) {
      for await (const { sha256, pack } of entriesOf(io, segment)) {
        if (snapshot.dropped.has(pack) || snapshot.condemned.has(pack) === usable) continue;
        if (!isLive(sha256)) dead++;
        else if (!served.has(sha256)) {
          served.add(sha256);
          const count = packs.get(pack);
          if (count !== undefined) count.live++;
        }
      }
    }
  }
  return { packs, live: served.size, dead };
}

async function* entriesOf(
  io: { readonly store: BlobStore; readonly signal: AbortSignal },
  segment: Segment,
): AsyncGenerator<{ readonly sha256: Sha256; readonly pack: string }, void, void> {
  const run = { from: 0, to: segment.blocks.length };
  const rows = readBlocks(io, segment, { ...run, column: 'rows' });
  for await (const { bytes } of readBlocks(io, segment, { ...run, column: 'keys' })) {
    const next = await rows.next();
    if (next.done === true) return;
    for (let n = 0; n < Math.min(BLOCK_ENTRIES, bytes.length / KEY_BYTES); n++) {
      const key = bytes.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES);
      const row = next.value.bytes.subarray(n * ROW_BYTES, (n + 1) * ROW_BYTES);
      const entry = decodeEntry(key, row, segment.meta.packs);
      if (entry !== undefined) yield entry;
    }
  }
}

/** Packs whose writer died before it could put the index segment. */
async function addUnindexed(
  store: BlobStore,
  tenant: string,
  { packs, signal }: { readonly packs: Map<string, PackCount>; readonly signal: AbortSignal },
): Promise<void> {
  const prefix = packPrefix(tenant);
  for await (const { key, sizeBytes, modifiedAtMs } of store.names('resources', { signal, prefix })) {
    const id = key.name.slice(prefix.length);
    if (/^[0-9a-f]{24}$/.test(id) && !packs.has(id))
      packs.set(id, { live: 0, sizeBytes, atMs: modifiedAtMs });
  }
}
