/**
 * The mark of a store whose packages and droplets a database knows, that of `stager serve`: what a store alone takes for
 * old may be what an app runs.
 */
import { Readable } from 'node:stream';
import { StagerError } from '../../words/errors.ts';
import type { BlobKey, BlobStore } from './port/blob-store.ts';

const SERVED: BlobKey = { kind: 'packages', name: 'served/database' };

/** Marks `store` once and for all. */
export async function markServed(store: BlobStore, signal: AbortSignal): Promise<void> {
  if ((await store.stat(SERVED, { signal })) !== undefined) return;
  const body = Readable.from([Buffer.from('{"by":"stager serve"}\n')], { objectMode: false });
  await store.put(SERVED, body, { contentType: 'application/json', signal });
}

/** @throws StagerError CONFIG_INVALID when a server's database says what is needed of this store. */
export async function refuseServed(store: BlobStore, signal: AbortSignal): Promise<void> {
  if ((await store.stat(SERVED, { signal })) === undefined) return;
  throw new StagerError(
    'CONFIG_INVALID',
    `${store.url} is the store of \`stager serve\`: its database says which packages and droplets are needed, so nothing was removed`,
    {
      next: `Delete packages and droplets through the API. If that server is gone for good: stager blobs rm ${SERVED.kind}/${SERVED.name}`,
      details: { location: store.location(SERVED) },
    },
  );
}
