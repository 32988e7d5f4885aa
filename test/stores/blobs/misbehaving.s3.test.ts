/**
 * Every operation of an S3 store through a proxy that answers it in every odd way, all the time. The outcome is right or
 * a clear failure, after a bounded number of requests; what is told as done is done; objects of others are all there.
 *
 * The ordinary suite takes a sample that is the same each time; `npm run test:s3-ways` takes all.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { type OddProxy, OPERATIONS, type Operation, startOddProxy, WAYS } from '../../support/odd-proxy.ts';
import { type S3Server, startS3Server, useTestCredentials } from '../../support/s3-server.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';
const SAMPLE_PERCENT = process.env['STAGER_TEST_WAYS'] === 'all' ? 100 : 14;
/** Two parts. */
const LARGE = randomBytes((5 << 20) + 1);
const SMALL = randomBytes(2_000);
const FOREIGN = ['p/records/2024/invoice.csv', 'p/notes.txt', 'other/droplets/ab/cd/abcd'];

let server: S3Server;
let proxy: OddProxy;
let client: S3Client;
let direct: BlobStore;
let odd: BlobStore;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
  proxy = await startOddProxy(server.port);
  await server.makeBucket('odd');
  client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true });
  for (const Key of FOREIGN) await client.send(new PutObjectCommand({ Bucket: 'odd', Key, Body: 'mine' }));
  direct = await openBlobStore(`s3://odd/p?endpoint=${server.endpoint}&partSizeMib=5`);
  odd = await openBlobStore(
    `s3://odd/p?endpoint=${proxy.endpoint}&partSizeMib=5&attempts=2&requestTimeoutMs=400`,
  );
});
afterAll(async () => {
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'odd' }));
  expect(Contents.map(({ Key }) => Key)).toEqual(expect.arrayContaining(FOREIGN));
  client.destroy();
  await proxy.stop();
  await server.stop();
});

const fresh = (): BlobKey => ({ kind: 'droplets', name: newGuid() });
const read = async (store: BlobStore, key: BlobKey): Promise<Buffer> =>
  buffer((await store.get(key, { signal })).body);
const putTo = (store: BlobStore, key: BlobKey, bytes: Uint8Array) =>
  store.put(key, streamOf(bytes), { contentType, signal });
async function namesOf(store: BlobStore, prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { key } of store.names('droplets', { signal, prefix })) names.push(key.name);
  return names;
}

/** Does what needs the operation, well or in vain, and says whether what it told is true. */
const WORK: Readonly<Record<Operation, () => Promise<boolean>>> = {
  HeadObject: readsAndPuts,
  GetObject: readsAndPuts,
  ListObjects: async () => {
    const key = await stored(SMALL);
    return (await misbehaving(() => namesOf(odd, key.name))).includes(key.name);
  },
  PutObject: () => puts(SMALL),
  CreateMultipartUpload: () => puts(LARGE),
  UploadPart: () => puts(LARGE),
  CompleteMultipartUpload: () => puts(LARGE),
  AbortMultipartUpload: async () => {
    const key = fresh();
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield LARGE;
      yield LARGE;
      throw new StagerError('SOURCE_CHANGED', 'the source broke');
    }
    const body = Readable.from(breaking(), { objectMode: false });
    await misbehaving(() => odd.put(key, body, { contentType, signal })).catch((error: unknown) => {
      if (!(error instanceof StagerError)) throw error;
    });
    return (await direct.stat(key, { signal })) === undefined;
  },
  ListMultipartUploads: async () => {
    const key = await stored(LARGE);
    await misbehaving(() => odd.sweep({ signal, minAgeMs: 0 }));
    return (await read(direct, key)).equals(LARGE);
  },
  DeleteObject: async () => {
    const key = await stored(SMALL);
    await misbehaving(() => odd.delete(key, { signal }));
    return (await direct.stat(key, { signal })) === undefined;
  },
};

let now: { readonly way: string; readonly operation: Operation };
async function misbehaving<T>(step: () => Promise<T>): Promise<T> {
  proxy.misbehave(now.way, now.operation);
  try {
    return await step();
  } finally {
    // A listing may take a hundred pages until it is known that it leads nowhere.
    expect(proxy.count).toBeLessThan(250);
    proxy.misbehave(undefined);
  }
}

async function stored(bytes: Uint8Array): Promise<BlobKey> {
  const key = fresh();
  await putTo(direct, key, bytes);
  return key;
}

async function puts(bytes: Uint8Array): Promise<boolean> {
  const key = fresh();
  await misbehaving(() => putTo(odd, key, bytes));
  return (await read(direct, key)).equals(bytes);
}

async function readsAndPuts(): Promise<boolean> {
  const key = await stored(SMALL);
  const isRead = await misbehaving(() => read(odd, key)).then(
    (bytes) => bytes.equals(SMALL),
    (error: unknown) => {
      if (error instanceof StagerError) return true;
      throw error;
    },
  );
  return isRead && (await puts(SMALL));
}

/** A sample that is the same each time. */
/** A plain 204 to a deletion is what a store says that did it; a store that lies so can't be told from one. */
const LIE = 'says 204 DeleteObject';
const isTaken = (name: string): boolean =>
  name !== LIE && (createHash('sha256').update(name).digest().readUInt16BE() / 65_536) * 100 < SAMPLE_PERCENT;
const CASES = Object.keys(WAYS)
  .flatMap((way) => OPERATIONS.map((operation) => ({ way, operation })))
  .filter(({ way, operation }) => isTaken(`${way} ${operation}`));

describe('an S3 store behind something that misbehaves', () => {
  it.each(CASES)('is right or clear when $operation $way', { timeout: 120_000 }, async (one) => {
    now = one;
    let isTrue = false;
    try {
      isTrue = await WORK[one.operation]();
    } catch (error) {
      if (!(error instanceof StagerError)) throw error;
      expect(error.code).toMatch(/^(BLOBSTORE_|BLOB_NOT_FOUND|BLOB_CORRUPT|CONFIG_INVALID)/);
      expect(error.message).toMatch(/odd/);
      expect(error.next).toBeTruthy();
      return;
    }
    expect(isTrue).toBe(true);
  });
});
