/** What the tests of the pool share. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { ContentSet } from '../../../src/stores/resource-cache/content-set.ts';
import type { Fingerprint } from '../../../src/stores/resource-cache/lookup.ts';
import type { NewResource } from '../../../src/stores/resource-cache/pack-writer.ts';
import { Pool } from '../../../src/stores/resource-cache/pool.ts';

export const signal = new AbortController().signal;
export const TENANT = 'space-1';

/** A content to store. */
export function resource(bytes: Uint8Array, path = 'file'): NewResource {
  return { ...digestsOf(bytes), path, open: async () => Readable.from([bytes]) };
}

/** What packages need. */
export function contentSet(resources: readonly NewResource[]): ContentSet {
  const set = new ContentSet();
  for (const one of resources) set.add(one);
  return set;
}

/** Ids of the packs, or of the segments, that are in the store. */
export async function idsOf(store: BlobStore, what: 'packs' | 'index'): Promise<string[]> {
  const prefix = `${TENANT}/${what}/`;
  const found: string[] = [];
  for await (const { key } of store.names('resources', { signal, prefix }))
    found.push(key.name.slice(prefix.length));
  return found;
}

/** Contents of the fingerprints; `?` for what is not known. */
export async function readAll(store: BlobStore, fingerprints: readonly Fingerprint[]): Promise<Buffer[]> {
  const pool = new Pool(store, TENANT);
  const located = await pool.locate(fingerprints, { signal });
  const reader = pool.reader({ signal });
  return Promise.all(
    located.map((found) => (found === undefined ? Buffer.from('?') : buffer(reader.open(found)))),
  );
}
