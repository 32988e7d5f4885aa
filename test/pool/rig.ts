/** What the tests of the pool share. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { digestsOf } from '../../src/blobs/digests.ts';
import { ContentSet } from '../../src/pool/content-set.ts';
import type { Fingerprint } from '../../src/pool/lookup.ts';
import type { NewResource } from '../../src/pool/pack-writer.ts';
import { Pool } from '../../src/pool/pool.ts';

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
