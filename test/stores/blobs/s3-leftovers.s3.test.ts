/** What writers leave in a bucket that fail or die, and who finds it. */
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { pathOf } from '../../../src/stores/blobs/port/key.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type S3Server, startS3Server, useTestCredentials } from '../../support/s3-server.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';
/** Three parts. */
const LARGE = 12 << 20;

let server: S3Server;
let proxy: FaultProxy;
let store: BlobStore;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
  proxy = await startFaultProxy(server.port);
  await server.makeBucket('faults');
  store = await openBlobStore(`s3://faults/p?endpoint=${proxy.endpoint}&partSizeMib=5`);
});
beforeEach(() => {
  proxy.plan(() => ({ kind: 'none' }));
});
afterAll(async () => {
  await proxy.stop();
  await server.stop();
});

const fresh = (): BlobKey => ({ kind: 'droplets', name: newGuid() });
const put = (key: BlobKey, bytes: Uint8Array) => store.put(key, streamOf(bytes), { contentType, signal });

/** The writer "dies" between its record and the completion: nothing can be sent any more. */
async function dieInPut(key: BlobKey): Promise<void> {
  let dead = false;
  proxy.plan(({ method, url }) => {
    if (method === 'POST' && url.includes('uploadId=')) dead = true;
    return dead ? { kind: 'error', status: 403, code: 'AccessDenied' } : { kind: 'none' };
  });
  await expect(put(key, randomBytes(LARGE))).rejects.toMatchObject({ code: 'BLOBSTORE_DENIED' });
  proxy.plan(() => ({ kind: 'none' }));
}

describe('what a writer leaves in a bucket', () => {
  it('leaves no part of a failed upload behind', async () => {
    proxy.plan(({ method, url }) =>
      method === 'PUT' && url.includes('partNumber=2')
        ? { kind: 'error', status: 403, code: 'AccessDenied' }
        : { kind: 'none' },
    );
    await expect(put(fresh(), randomBytes(LARGE))).rejects.toMatchObject({ code: 'BLOBSTORE_DENIED' });
    proxy.plan(() => ({ kind: 'none' }));
    expect(await store.sweep({ signal, minAgeMs: 0 })).toEqual([]);
  });

  it('sweeps uploads and records of writers that died, not those that are young', async () => {
    const key = fresh();
    await dieInPut(key);
    expect(await store.stat(key, { signal })).toBeUndefined();
    expect(await store.sweep({ signal, minAgeMs: 3_600_000 })).toEqual([]);
    expect((await store.sweep({ signal, minAgeMs: 0 })).map(({ what }) => what)).toEqual([
      'unfinished upload',
      'unreferenced record',
    ]);
    expect(await store.sweep({ signal, minAgeMs: 0 })).toEqual([]);
    const left = await readdir(join(server.directory, 'faults'), { recursive: true });
    expect(left.filter((name) => name.includes(key.name))).toEqual([]);
  });

  it('reports a large blob whose record is gone, and takes it for absent nowhere', async () => {
    const key = fresh();
    await put(key, randomBytes(LARGE));
    await rm(join(server.directory, 'faults/p/records', pathOf(key)), { recursive: true });
    await expect(store.get(key, { signal })).rejects.toMatchObject({
      code: 'BLOB_CORRUPT',
      message: expect.stringContaining('its record is gone'),
    });
    const query = { signal, kinds: ['droplets' as const], prefix: key.name };
    expect((await verifyBlobs(store, query)).damaged).toMatchObject([{ key }]);
    await store.delete(key, { signal });
    expect(await verifyBlobs(store, query)).toEqual({ checked: 0, bytes: 0, damaged: [] });
  });

  it('sweeps nothing that may have begun after its caller looked at who is at work', async () => {
    const key = fresh();
    const beganMs = Date.now();
    await dieInPut(key);
    expect(await store.sweep({ signal, minAgeMs: 0, beganMs })).toEqual([]);
    expect(await store.sweep({ signal, minAgeMs: 0 })).toHaveLength(2);
  });
});
