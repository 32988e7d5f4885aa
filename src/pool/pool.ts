/**
 * The resource cache of one tenant: contents addressed by digest, small ones together in immutable packs, found by an
 * index that is matched in bulk (docs/packages.md).
 *
 * A tenant matches, reads and stores only what it has stored itself. So knowing the digest of somebody else's file
 * gives nothing, and nothing that one tenant stores can be found by another.
 */
import type { BlobStore } from '../blobs/blob-store.ts';
import { isStagerError } from '../errors.ts';
import { compactIfNeeded, mergeSegments } from './compact.ts';
import type { Resource } from './format.ts';
import { checkTenant } from './layout.ts';
import { type Fingerprint, locate, match } from './lookup.ts';
import { PackReader } from './pack-reader.ts';
import { type NewResource, type StoredPacks, writePacks } from './pack-writer.ts';
import { columnsOf, writeSegment } from './segment-writer.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';

/** Merges that may come in between one query. */
const RACES = 20;

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

  /** Which fingerprints are known and can be used by a new package, in their order. */
  async match(fingerprints: readonly Fingerprint[], { signal }: PoolCall): Promise<readonly boolean[]> {
    if (fingerprints.length === 0) return [];
    return this.#fresh({ signal }, (snapshot) =>
      match({ store: this.store, signal }, snapshot, fingerprints),
    );
  }

  /** Where the contents lie, in the order of the fingerprints; undefined for what is not known. */
  async locate(
    fingerprints: readonly Fingerprint[],
    { signal }: PoolCall,
  ): Promise<readonly (Resource | undefined)[]> {
    if (fingerprints.length === 0) return [];
    return this.#fresh({ signal }, (snapshot) =>
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
    await writeSegment(io, columnsOf(stored.resources, stored.packs), {
      version: 1,
      packs: [...stored.packs],
      replaces: [],
      dropped: [],
      condemned: [],
    });
    await compactIfNeeded(io, await this.snapshot({ signal }));
    return stored;
  }

  /** Reads contents that {@link Pool.locate} found. */
  async reader({ signal }: PoolCall): Promise<PackReader> {
    const { segments } = await this.snapshot({ signal });
    const sizes = new Map(
      segments.flatMap(({ meta }) => meta.packs.map((pack) => [pack.id, pack.sizeBytes] as const)),
    );
    return new PackReader({ store: this.store, tenant: this.tenant, signal }, sizes);
  }

  /**
   * Takes packs out of matching, so that the next upload sends their contents again. Those that are `gone` are not
   * read any more either; a `damaged` or unreferenced one still is.
   */
  async retire(packs: readonly string[], how: PoolCall & { readonly gone: boolean }): Promise<void> {
    const io = { store: this.store, tenant: this.tenant, signal: how.signal };
    const words = packs.map((id) => ({ id, atMs: Date.now() }));
    const [dropped, condemned] = how.gone ? [words, []] : [[], words];
    await writeSegment(io, columnsOf([], []), { version: 1, packs: [], replaces: [], dropped, condemned });
    await compactIfNeeded(io, await this.snapshot(how));
  }

  /** Merges the whole index into one segment. Never needed; makes the next match a little quicker. */
  async compact({ signal }: PoolCall): Promise<void> {
    const snapshot = await this.snapshot({ signal });
    if (snapshot.segments.length < 2) return;
    await mergeSegments({ store: this.store, tenant: this.tenant, signal }, snapshot, snapshot.segments);
  }

  /** Runs a query, again with a new snapshot when a merge took a segment away meanwhile. */
  async #fresh<T>(call: PoolCall, query: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    for (let race = 1; ; race++) {
      try {
        return await query(await this.snapshot(call));
      } catch (error) {
        if (!isStagerError(error, 'BLOB_NOT_FOUND') || race === RACES) throw error;
      }
    }
  }
}
