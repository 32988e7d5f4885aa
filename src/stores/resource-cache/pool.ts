/**
 * The resource cache of one tenant: contents addressed by digest, small ones together in immutable packs, found by an
 * index that is matched in bulk (docs/packages.md).
 *
 * A tenant matches, reads and stores only what it has stored itself. So knowing the digest of somebody else's file
 * gives nothing, and nothing that one tenant stores can be found by another.
 */

import { isStagerError } from '../../words/errors.ts';
import { GaveUp, withRetry } from '../../words/retry.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import { compactIfNeeded, mergeSegments } from './compact.ts';
import type { LocatedResource } from './format.ts';
import { checkTenant } from './layout.ts';
import { type Fingerprint, locate, match } from './lookup.ts';
import { PackReader } from './pack-reader.ts';
import { type NewResource, type StoredPacks, writePacks } from './pack-writer.ts';
import { columnsOf, writeSegment } from './segment-writer.ts';
import { RACES, readSnapshot, type Snapshot } from './snapshot.ts';

/** What every step of the pool takes. */
export interface PoolCall {
  readonly signal: AbortSignal;
}

/** A tenant's pool. Holds no state: every call sees what is stored then. */
export class Pool {
  readonly store: BlobStore;
  readonly tenant: string;

  /** @throws StagerError USAGE when the tenant can't be part of a key. */
  constructor(store: BlobStore, tenant: string) {
    this.store = store;
    this.tenant = checkTenant(tenant);
  }

  /** The index as it is now. One listing and one request for each of a constant number of segments. */
  snapshot({ signal }: PoolCall): Promise<Snapshot> {
    return readSnapshot({ store: this.store, signal }, this.tenant);
  }

  /** Runs a query on the index, again with a new snapshot when a merge took a segment away meanwhile. */
  async query<T>(call: PoolCall, query: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    const { signal } = call;
    const isTransient = (error: unknown): boolean => isStagerError(error, 'BLOB_NOT_FOUND');
    return withRetry(async () => query(await this.snapshot(call)), {
      policy: RACES,
      signal,
      isTransient,
    }).catch((error: unknown) => {
      throw error instanceof GaveUp ? error.cause : error;
    });
  }

  /** Which fingerprints are known and can be used by a new package, in their order. */
  async match(fingerprints: readonly Fingerprint[], { signal }: PoolCall): Promise<readonly boolean[]> {
    if (fingerprints.length === 0) return [];
    return this.query({ signal }, (snapshot) => match({ store: this.store, signal }, snapshot, fingerprints));
  }

  /** Where the contents lie, in the order of the fingerprints; undefined for what is not known. */
  async locate(
    fingerprints: readonly Fingerprint[],
    { signal }: PoolCall,
  ): Promise<readonly (LocatedResource | undefined)[]> {
    if (fingerprints.length === 0) return [];
    return this.query({ signal }, (snapshot) =>
      locate({ store: this.store, signal }, snapshot, fingerprints),
    );
  }

  /**
   * Stores contents and makes them known: packs first, then one index segment, so that what is known is there.
   *
   * @throws StagerError SOURCE_CHANGED when a content is not what its digests say.
   */
  async add(
    resources: Iterable<NewResource> | AsyncIterable<NewResource>,
    { signal, onBytes }: PoolCall & { readonly onBytes?: (bytes: number) => void },
  ): Promise<StoredPacks> {
    const io = { store: this.store, tenant: this.tenant, signal };
    const stored = await writePacks(onBytes === undefined ? io : { ...io, onBytes }, resources);
    if (stored.resources.length === 0) return stored;
    await writeSegment(io, columnsOf(stored.resources, stored.packs), { packs: [...stored.packs] });
    await this.tidy({ signal });
    return stored;
  }

  /** Reads contents that {@link Pool.locate} found. */
  reader({ signal }: PoolCall): PackReader {
    return new PackReader({ store: this.store, tenant: this.tenant, signal });
  }

  /**
   * Takes packs out of matching, so that the next upload sends their contents again. Those that are `gone` for good are
   * no longer read either; one that is damaged, unreachable or not needed still is, where there is no other.
   */
  async retire(
    packs: readonly string[],
    how: PoolCall & { readonly gone: boolean; readonly atMs?: number },
  ): Promise<void> {
    const io = { store: this.store, tenant: this.tenant, signal: how.signal };
    const words = packs.map((id) => ({ id, atMs: Math.floor(how.atMs ?? Date.now()) }));
    await writeSegment(io, columnsOf([], []), how.gone ? { dropped: words } : { condemned: words });
    await this.tidy(how);
  }

  /** Merges small segments when there are too many, as every upload does. */
  async tidy({ signal }: PoolCall): Promise<void> {
    const io = { store: this.store, tenant: this.tenant, signal };
    await compactIfNeeded(io, await this.snapshot({ signal }));
  }

  /** Merges the whole index into one segment. Never needed; makes the next match a little quicker. */
  async compact({ signal }: PoolCall): Promise<void> {
    const snapshot = await this.snapshot({ signal });
    if (snapshot.segments.length < 2) return;
    await mergeSegments({ store: this.store, tenant: this.tenant, signal }, snapshot, snapshot.segments);
  }
}
