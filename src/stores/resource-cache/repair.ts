/**
 * Making a tenant's index whole again: segments that are damaged go, and packs that no segment knows are read and
 * entered again. Packs say what is in them, so that an index that was deleted altogether comes back this way.
 *
 * Safe beside uploads and collections, and to repeat: what is entered twice is merged to one.
 */
import { buffer } from 'node:stream/consumers';
import { isStagerError, throwIfCancelled } from '../../words/errors.ts';
import type { BlobStore } from '../blobs/port/blob-store.ts';
import { digestsOf } from '../blobs/port/digests.ts';
import type { LocatedResource, Resource, SegmentMeta } from './format.ts';
import { indexPrefix, type ListedPack, POOL_ID, packsOf, segmentKey } from './layout.ts';
import { readDirectory } from './pack-directory.ts';
import { PackReader } from './pack-reader.ts';
import { Pool } from './pool.ts';
import { openSegment, readBlocks, type Segment, type StoreAccess } from './segment.ts';
import { columnsOf, type PackRef, writeSegment } from './segment-writer.ts';

/** Entries that are gathered for one segment. */
const SEGMENT_ENTRIES = 200_000;

/** How to repair. */
export interface RepairOptions {
  readonly signal: AbortSignal;
  /** Read everything, change nothing. */
  readonly dryRun?: boolean;
}

/** What was wrong with the resource cache of one tenant, and is fixed unless it was a dry run. */
export interface RepairReport {
  readonly tenant: string;
  /** Segments that could not be read; deleted. */
  readonly damagedSegments: number;
  /** Packs that the index did not know, and the contents in them that are as they should be. */
  readonly addedPacks: number;
  readonly addedContents: number;
  /** Contents of those packs that are damaged, and packs that can't be read at all. */
  readonly damagedContents: number;
  readonly unreadablePacks: readonly string[];
  /** Packs that the index knew and that are gone; they match no more. */
  readonly lostPacks: readonly string[];
}

/** Repairs one tenant's index. @throws StagerError BLOBSTORE_*, CANCELLED. */
export async function repairPool(
  store: BlobStore,
  tenant: string,
  options: RepairOptions,
): Promise<RepairReport> {
  const { signal } = options;
  const io = { store, signal };
  // The index first: whatever it names was there before it.
  const index = await readIndex(io, tenant);
  const packs = new Map<string, ListedPack>();
  for await (const pack of packsOf(io, tenant)) packs.set(pack.id, pack);
  const lost = [...index.packs].filter((id) => !packs.has(id) && !index.condemned.has(id));
  const found = new Found({ ...io, tenant }, options.dryRun === true);
  for (const pack of packs.values()) {
    if (!index.packs.has(pack.id) && !index.dropped.has(pack.id)) await found.add(pack);
  }
  await found.flush();
  if (options.dryRun !== true) {
    if (index.words.dropped.length + index.words.condemned.length > 0)
      await writeSegment({ ...io, tenant }, columnsOf([], []), index.words);
    for (const id of index.damaged) await store.delete(segmentKey(tenant, id), { signal });
    const pool = new Pool(store, tenant);
    if (lost.length > 0) await pool.retire(lost, { signal, gone: false });
    else await pool.tidy({ signal });
  }
  const { addedPacks, addedContents, damagedContents, unreadablePacks } = found;
  return {
    tenant,
    damagedSegments: index.damaged.length,
    ...{ addedPacks, addedContents, damagedContents, unreadablePacks },
    lostPacks: lost,
  };
}

interface Index {
  /** Ids of segments. */
  readonly damaged: string[];
  /** Ids of packs, and those of them that are gone for good or do not match. */
  readonly packs: Set<string>;
  readonly dropped: Set<string>;
  readonly condemned: Set<string>;
  /** What damaged segments say of packs, where that part of them is whole: it must outlast them. */
  readonly words: Pick<SegmentMeta, 'dropped' | 'condemned'>;
}

/** Reads every byte of the index. Says which segments are damaged, and what the others know of packs. */
async function readIndex(io: StoreAccess, tenant: string): Promise<Index> {
  const prefix = indexPrefix(tenant);
  const index: Index = {
    damaged: [],
    packs: new Set(),
    dropped: new Set(),
    condemned: new Set(),
    words: { dropped: [], condemned: [] },
  };
  for await (const { key, sizeBytes } of io.store.names('resources', { signal: io.signal, prefix })) {
    const id = key.name.slice(prefix.length);
    if (!POOL_ID.test(id)) continue;
    let segment: Segment | undefined;
    try {
      segment = await openSegment(io, { id, key: segmentKey(tenant, id), sizeBytes });
      for (const pack of segment.meta.dropped) index.dropped.add(pack.id);
      for (const pack of segment.meta.condemned) index.condemned.add(pack.id);
      for (const column of ['keys', 'rows'] as const) {
        const run = { from: 0, to: segment.blocks.length, column };
        for await (const _block of readBlocks(io, segment, run)) throwIfCancelled(io.signal);
      }
      for (const pack of segment.meta.packs) index.packs.add(pack.id);
    } catch (error) {
      // Gone: a merge replaced it, and what only the new one knows is entered once more.
      if (isStagerError(error, 'BLOB_NOT_FOUND')) continue;
      if (!isStagerError(error, 'BLOB_CORRUPT')) throw error;
      index.damaged.push(id);
      index.words.dropped.push(...(segment?.meta.dropped ?? []));
      index.words.condemned.push(...(segment?.meta.condemned ?? []));
    }
  }
  for (const id of index.dropped) index.packs.delete(id);
  return index;
}

/** Contents of packs that the index does not know, written as segments. */
class Found {
  readonly #io: StoreAccess & { readonly tenant: string };
  readonly #dryRun: boolean;
  #resources: Resource[] = [];
  #packs: PackRef[] = [];
  addedPacks = 0;
  addedContents = 0;
  damagedContents = 0;
  readonly unreadablePacks: string[] = [];

  constructor(io: StoreAccess & { readonly tenant: string }, dryRun: boolean) {
    this.#io = io;
    this.#dryRun = dryRun;
  }

  async add({ id, sizeBytes, modifiedAtMs }: ListedPack): Promise<void> {
    throwIfCancelled(this.#io.signal);
    try {
      for (const resource of await this.#read(id, sizeBytes)) this.#resources.push(resource);
      this.#packs.push({ id, sizeBytes, atMs: Math.trunc(modifiedAtMs) });
      this.addedPacks++;
    } catch (error) {
      if (isStagerError(error, 'BLOB_CORRUPT')) this.unreadablePacks.push(id);
      // A collection deleted it meanwhile.
      else if (!isStagerError(error, 'BLOB_NOT_FOUND', 'RESOURCE_MISSING')) throw error;
    }
    if (this.#resources.length >= SEGMENT_ENTRIES) await this.flush();
  }

  async flush(): Promise<void> {
    const [resources, packs] = [this.#resources, this.#packs];
    [this.#resources, this.#packs] = [[], []];
    if (packs.length === 0 || this.#dryRun) return;
    await writeSegment(this.#io, columnsOf(resources, packs), { packs });
  }

  /** Contents are entered under the digests that they have; one whose directory says something else is damaged. */
  async #read(id: string, sizeBytes: number): Promise<readonly Resource[]> {
    const { contents, isVerified } = await readDirectory(this.#io, { id, sizeBytes });
    const reader = new PackReader(this.#io);
    const whole: Resource[] = [];
    for (const resource of contents) {
      if (isVerified || (await isWhole(reader, { ...resource, packBytes: sizeBytes }))) whole.push(resource);
    }
    this.addedContents += whole.length;
    this.damagedContents += contents.length - whole.length;
    return whole;
  }
}

async function isWhole(reader: PackReader, resource: LocatedResource): Promise<boolean> {
  try {
    return digestsOf(await buffer(reader.open(resource))).sha1 === resource.sha1;
  } catch (error) {
    if (isStagerError(error, 'BLOB_CORRUPT')) return false;
    throw error;
  }
}
