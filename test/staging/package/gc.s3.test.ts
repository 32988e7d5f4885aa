/** Garbage collection in a bucket that is not stager's alone, was copied, or answers oddly. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateMultipartUploadCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { openPackage } from '../../../src/staging/package/open.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { pathOf } from '../../../src/stores/blobs/port/key.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { streamOf } from '../../stores/blobs/contract.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { type S3Server, startS3Server, useTestCredentials } from '../../support/s3-server.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';

let server: S3Server;
let proxy: FaultProxy;
let client: S3Client;
let root: string;
let bucket: string;
let store: BlobStore;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
  proxy = await startFaultProxy(server.port);
  client = new S3Client({ endpoint: proxy.endpoint, region: 'us-east-1', forcePathStyle: true });
});
beforeEach(async () => {
  proxy.plan(() => ({ kind: 'none' }));
  root = await mkdtemp(join(tmpdir(), 'stager-gc-s3-'));
  bucket = `b-${newGuid().slice(0, 8)}`;
  await server.makeBucket(bucket);
  store = await open();
});
afterEach(async () => rm(root, { recursive: true }));
afterAll(async () => {
  client.destroy();
  await proxy.stop();
  await server.stop();
});

const open = (prefix = ''): Promise<BlobStore> =>
  openBlobStore(`s3://${bucket}${prefix}?endpoint=${proxy.endpoint}&partSizeMib=5&attempts=2`);
const gc = (options = {}) => collectGarbage(store, { signal, graceMs: 0, keepPackages: 1, ...options });
async function create(content: string): Promise<Guid> {
  await mkdir(join(root, 'app'), { recursive: true });
  await writeFile(join(root, 'app/file'), content);
  return (await storePackage(await openSource(join(root, 'app')), { store, signal, app: 'a' })).guid;
}
const putObject = (Key: string, Body = 'mine') =>
  client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
async function keys(): Promise<readonly string[]> {
  const directory = join(server.directory, bucket);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.sgwtmp'))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

describe('a bucket that others use as well', () => {
  it('keeps every object and every unfinished upload of theirs', async () => {
    await create('one');
    const foreign = [
      'records/2024/invoice.csv',
      'records/customers.db',
      `records/backup/${'0'.repeat(24)}`,
      `records/droplets/ab/cd/abcdef/${'a'.repeat(24)}`,
      'droplets/ab/cd/abcdef/1',
      'droplets/notes.txt',
    ];
    for (const key of foreign) await putObject(key);
    const Key = 'films/part-1.mkv';
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
    await gc({ dropletOwner: async () => ({ app: 'theirs', keep: false }), keepDroplets: 0 });
    expect(await keys()).toEqual(expect.arrayContaining(foreign));
    const { ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3');
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(Uploads?.map((upload) => upload.UploadId)).toEqual([UploadId]);
  });

  it('is not collected before stager ever stored something there', async () => {
    await expect(gc()).rejects.toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
    await putObject('records/customers.db');
    await expect(gc()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('records/customers.db'),
    });
  });

  it('has no store inside another one, and the outer one takes nothing of an inner one', async () => {
    const inner = await open('/records');
    const key = { kind: 'resources', name: `local/packs/${'b'.repeat(24)}` } as const;
    await inner.put(key, streamOf(Buffer.from('pack')), { contentType, signal });
    await create('one');
    await gc();
    expect(await keys()).toContain(`records/${pathOf(key)}`);
    const late = await open('/records');
    await expect(late.put(key, streamOf(Buffer.from('x')), { contentType, signal })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('inside another one'),
    });
  });
});

describe('a store that shows less than it has', () => {
  it('keeps what a package needs whose metadata did not come with a copy', async () => {
    const guid = await create('one');
    await create('two');
    await rm(join(server.directory, bucket, '.stager-store'));
    const body = 'a listing without its metadata';
    await putObject(pathOf({ kind: 'packages', name: guid }), body);
    const before = await keys();
    await expect(gc()).rejects.toMatchObject({
      code: 'BLOB_CORRUPT',
      message: expect.stringContaining('copied without metadata'),
    });
    expect(await keys()).toEqual(expect.arrayContaining([...before]));
    expect((await verifyBlobs(store, { signal })).damaged).toMatchObject([
      { key: { kind: 'packages', name: guid } },
    ]);
  });

  it('keeps what a package needs that is listed and then said not to be there', async () => {
    const guid = await create('one');
    const before = await keys();
    proxy.plan(({ method, url }) =>
      method === 'HEAD' && url.includes(guid)
        ? { kind: 'error', status: 404, code: 'NotFound' }
        : { kind: 'none' },
    );
    await expect(gc({ keepPackages: 0 })).rejects.toMatchObject({ code: 'BLOB_CORRUPT' });
    proxy.plan(() => ({ kind: 'none' }));
    expect(await keys()).toEqual(before);
    await openPackage(guid, { store, signal });
  });

  it.each([403, 404, 405])('is collected although it answers %i for unfinished uploads', async (status) => {
    await create('one');
    proxy.plan(({ url }) =>
      /[?&]uploads(=|&|$)/.test(url) ? { kind: 'error', status, code: 'No' } : { kind: 'none' },
    );
    expect(await gc()).toMatchObject({ leftovers: [] });
  });
});
