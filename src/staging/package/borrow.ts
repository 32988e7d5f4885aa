/**
 * Copies contents from the pools of other tenants into one, for somebody who may read them there: what a person matched
 * in one space can then be part of a package in another.
 */
import type { BlobStore } from '../../stores/blobs/port/blob-store.ts';
import type { NewResource } from '../../stores/resource-cache/pack-writer.ts';
import { Pool } from '../../stores/resource-cache/pool.ts';
import { parseSha256 } from '../../words/ids.ts';
import { fingerprintsOf } from './receive.ts';

export interface BorrowOptions {
  readonly store: BlobStore;
  readonly signal: AbortSignal;
  /** Who gets them. */
  readonly tenant: string;
  /** Whose may be taken, in this order. */
  readonly from: readonly string[];
}

/** @param resources the `resources` part of an upload. What nobody has stays missing; receiving says so. */
export async function borrowResources(resources: unknown, options: BorrowOptions): Promise<void> {
  const { store, signal } = options;
  const own = new Pool(store, options.tenant);
  const wanted = fingerprintsOf(resources);
  const known = await own.match(wanted, { signal });
  let missing = wanted.filter((_, index) => known[index] !== true);
  for (const tenant of options.from) {
    if (missing.length === 0) return;
    if (tenant === options.tenant) continue;
    const other = new Pool(store, tenant);
    const theirs = await other.match(missing, { signal });
    const located = await other.locate(missing, { signal });
    const reader = other.reader({ signal });
    const taken: NewResource[] = missing.flatMap((print, index) => {
      const found = located[index];
      const sha256 = parseSha256(found?.sha256 ?? '');
      if (found === undefined || sha256 === undefined || theirs[index] !== true) return [];
      return [{ ...print, sha256, path: print.sha1, open: async () => reader.open(found) }];
    });
    await own.add(taken, { signal });
    const done = new Set(taken.map(({ sha1 }) => sha1));
    missing = missing.filter(({ sha1 }) => !done.has(sha1));
  }
}
