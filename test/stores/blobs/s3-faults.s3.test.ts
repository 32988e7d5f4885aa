import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPackage } from '../../../src/staging/package/open.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type S3Server, SECRET_KEY, startS3Server, useTestCredentials } from '../../support/s3-server.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';
const MIB = 1 << 20;

let server: S3Server;
let proxy: FaultProxy;
let store: BlobStore;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
  proxy = await startFaultProxy(server.port);
  await server.makeBucket('faults');
});
beforeEach(async () => {
  proxy.plan(() => ({ kind: 'none' }));
  store = await openBlobStore(address('faults'));
});
afterAll(async () => {
  await proxy.stop();
  await server.stop();
});

/** A request that hangs costs a test `timeoutMs`; where none hangs, no busy machine is to be taken for it. */
const address = (bucket: string, { timeoutMs = 60_000, more = '' } = {}): string =>
  `s3://${bucket}/p?endpoint=${proxy.endpoint}&partSizeMib=5&requestTimeoutMs=${timeoutMs}${more}`;
const fresh = (): BlobKey => ({ kind: 'droplets', name: newGuid() });
const put = (key: BlobKey, bytes: Uint8Array, options = {}) =>
  store.put(key, streamOf(bytes), { contentType, signal, ...options });
const read = async (key: BlobKey): Promise<Buffer> => buffer((await store.get(key, { signal })).body);
/** Deterministic, so that a failure can be repeated. */
const chance = (count: number, percent: number): boolean =>
  (createHash('md5').update(`${count}`).digest()[0] ?? 0) < percent * 2.56;

describe('an S3 store behind a bad network', () => {
  it.each([
    ['resets', { kind: 'reset' }],
    ['503s', { kind: 'error', status: 503, code: 'SlowDown' }],
    ['500s', { kind: 'error', status: 500, code: 'InternalError' }],
    ['lost answers', { kind: 'lost-answer' }],
  ] as const)('stores and reads whole blobs through %s on a third of the requests', async (_name, fault) => {
    for (const size of [1_000, 12 * MIB]) {
      const [key, bytes] = [fresh(), randomBytes(size)];
      proxy.plan(({ count }) => (chance(count, 33) ? fault : { kind: 'none' }));
      const info = await put(key, bytes);
      expect(info.sizeBytes).toBe(size);
      expect((await read(key)).equals(bytes)).toBe(true);
    }
  });

  it.each([
    ['resets', { kind: 'truncate', bytes: 3 * MIB }],
    ['stalls', { kind: 'stall', bytes: 3 * MIB }],
  ] as const)('goes on after the last byte when a download %s', async (_name, fault) => {
    store = await openBlobStore(address('faults', { timeoutMs: 3_000 }));
    const [key, bytes] = [fresh(), randomBytes(10 * MIB)];
    await put(key, bytes);
    let gets = 0;
    proxy.plan(({ method, url }) => {
      if (method !== 'GET' || url.includes('/records/')) return { kind: 'none' };
      gets++;
      return fault;
    });
    expect((await read(key)).equals(bytes)).toBe(true);
    expect(gets).toBe(4);
  });

  it('never hands out bytes that the wire damaged', async () => {
    const [key, bytes] = [fresh(), randomBytes(2 * MIB)];
    await put(key, bytes);
    proxy.plan(({ method }) => (method === 'GET' ? { kind: 'flip', at: MIB } : { kind: 'none' }));
    await expect(read(key)).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
  });

  it('gives up with a message that names bucket, key and what to do', async () => {
    const key = fresh();
    // The store's own mark is read first.
    proxy.plan(({ url }) =>
      url.includes('.stager-store') ? { kind: 'none' } : { kind: 'error', status: 503, code: 'SlowDown' },
    );
    store = await openBlobStore(address('faults', { more: '&attempts=2' }));
    await expect(put(key, randomBytes(10))).rejects.toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining(`bucket faults, key p/droplets/${key.name.slice(0, 2)}`),
      next: expect.stringMatching(/check/i),
    });
  });

  it('sends again only the parts that a slow store did not answer, and waits for those that it answers late', async () => {
    store = await openBlobStore(address('faults', { timeoutMs: 6_000 }));
    const [key, bytes] = [fresh(), randomBytes(22 * MIB)];
    const sent = new Map<string, number>();
    proxy.plan(({ method, url }) => {
      const part = method === 'PUT' ? new URL(url, 'http://store').searchParams.get('partNumber') : null;
      if (part === null) return { kind: 'none' };
      sent.set(part, (sent.get(part) ?? 0) + 1);
      if (sent.get(part) !== 1 || part === '1') return { kind: 'none' };
      return part === '3' ? { kind: 'hang' } : { kind: 'delay', ms: 300 };
    });
    await put(key, bytes);
    expect(Object.fromEntries(sent)).toEqual({ 1: 1, 2: 1, 3: 2, 4: 1, 5: 1 });
    expect((await read(key)).equals(bytes)).toBe(true);
  });

  it('names the limit when the store never answers', async () => {
    proxy.plan(() => ({ kind: 'hang' }));
    store = await openBlobStore(address('faults', { timeoutMs: 1_000, more: '&attempts=2' }));
    await expect(put(fresh(), randomBytes(10))).rejects.toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('requestTimeoutMs (1000 ms)'),
      next: expect.stringContaining('requestTimeoutMs'),
    });
  });

  it('says that there is no package when somebody deletes it between finding and reading it', async () => {
    const guid = newGuid();
    const key: BlobKey = { kind: 'packages', name: guid };
    await put(key, Buffer.from('listing'));
    proxy.plan(({ method, url }) =>
      method === 'GET' && url.includes(guid)
        ? { kind: 'error', status: 404, code: 'NoSuchKey' }
        : { kind: 'none' },
    );
    await expect(openPackage(guid, { store, signal })).rejects.toMatchObject({ code: 'PACKAGE_NOT_FOUND' });
  });
});

describe('an S3 store that is set up wrongly', () => {
  it('says that the bucket is not there, and never takes it for an empty one', async () => {
    await server.makeBucket('vanishing');
    store = await openBlobStore(address('vanishing'));
    await put(fresh(), Buffer.from('x'));
    await server.dropBucket('vanishing');
    store = await openBlobStore(address('vanishing'));
    const wanted = { code: 'BLOBSTORE_UNAVAILABLE', message: expect.stringContaining('vanishing') };
    await expect(put(fresh(), Buffer.from('x'))).rejects.toMatchObject(wanted);
    await expect(put(fresh(), randomBytes(12 * MIB))).rejects.toMatchObject(wanted);
    await expect(store.stat(fresh(), { signal })).rejects.toMatchObject(wanted);
    await expect(store.get(fresh(), { signal })).rejects.toMatchObject(wanted);
    const listing = async (): Promise<void> => {
      for await (const { key } of store.names('droplets', { signal })) expect(key).toBeUndefined();
    };
    await expect(listing()).rejects.toMatchObject(wanted);
    expect(await store.probe({ signal })).toMatchObject({ readable: false, writable: false });
  });

  it('says that the credentials are wrong, and never shows them', async () => {
    process.env['AWS_SECRET_ACCESS_KEY'] = `${SECRET_KEY}-wrong`;
    const wrong = await openBlobStore(address('faults'));
    const failure = await wrong
      .put(fresh(), streamOf(Buffer.from('x')), { contentType, signal })
      .catch((error: unknown) => error);
    useTestCredentials();
    expect(failure).toMatchObject({
      code: 'BLOBSTORE_DENIED',
      next: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    });
    const { inspect } = await import('node:util');
    expect(inspect(failure, { depth: 10 })).not.toContain(SECRET_KEY);
    expect(store.url).not.toContain('secret');
  });

  it('works although the clock of this machine is wrong', async () => {
    const now = Date.now;
    Date.now = () => now() + 3_600_000;
    try {
      const [key, bytes] = [fresh(), randomBytes(1_000)];
      await put(key, bytes);
      expect((await read(key)).equals(bytes)).toBe(true);
    } finally {
      Date.now = now;
    }
  });

  it.each([
    's3://key:never-show-this-secret@bucket/p',
    's3://bucket/p?endpoint=http://u:never-show-this-secret@host',
    's3://bucket/p?secretAccessKey=never-show-this-secret',
    's3://Bad_Bucket/p',
    's3://bucket/p?kmsKeyId=k',
    's3://bucket/p?partSizeMib=1',
  ])('refuses the address %s without showing a secret', async (bad) => {
    const failure = await openBlobStore(bad).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID' });
    const { inspect } = await import('node:util');
    expect(inspect(failure)).not.toContain('never-show-this-secret');
  });
});

describe('presigned URLs', () => {
  it('let anyone read a blob, and put the very bytes that were promised', async () => {
    const { presign } = store;
    if (presign === undefined) throw new Error('S3 can sign');
    const [key, bytes] = [fresh(), randomBytes(1_000)];
    const hash = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex');
    const { parseSha1, parseSha256 } = await import('../../../src/words/ids.ts');
    const [sha1, sha256] = [parseSha1(hash('sha1')), parseSha256(hash('sha256'))];
    if (sha1 === undefined || sha256 === undefined) throw new Error('digests');
    const signed = await presign.put(key, {
      signal,
      expiresInSeconds: 60,
      contentType,
      sha1,
      sha256,
      sizeBytes: 1_000,
    });
    const send = async (body: Uint8Array<ArrayBuffer>): Promise<boolean> =>
      fetch(signed.url, { method: 'PUT', headers: signed.headers, body }).then(({ ok }) => ok);
    expect(await send(new Uint8Array(randomBytes(1_000)))).toBe(false);
    expect(await store.stat(key, { signal })).toBeUndefined();
    expect(await send(new Uint8Array(bytes))).toBe(true);
    expect((await read(key)).equals(bytes)).toBe(true);
    const { url } = await presign.get(key, { signal, expiresInSeconds: 60 });
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true);
  });
});
