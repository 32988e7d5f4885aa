/** What an S3 store is asked and how its odd answers are taken: an in-process server that says what a test wants. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey } from '../../../src/stores/blobs/port/blob-store.ts';
import type { S3Reach } from '../../../src/stores/blobs/s3/session.ts';
import { newGuid, parseSha1, parseSha256 } from '../../../src/words/ids.ts';
import { portOf, ResigningProxy } from '../../support/resigning-proxy.ts';
import { useTestCredentials } from '../../support/s3-server.ts';
import { TestAuthority } from '../../support/test-authority.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const xml = '<?xml version="1.0"?>';
const EMPTY = `${xml}<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`;

let server: Server;
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeAll(useTestCredentials);
beforeEach(async () => {
  requests = [];
  answer = (_request, response) => response.end(EMPTY);
  server = createServer((request, response) => {
    requests.push(request);
    request.resume().once('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const at = (more = ''): string =>
  `s3://bucket/p?endpoint=http://127.0.0.1:${portOf(server)}&attempts=2${more}`;

async function list(address: string, reach?: S3Reach): Promise<readonly string[]> {
  const names: string[] = [];
  const store = await openBlobStore(address, reach);
  for await (const { key } of store.names('packages', { signal })) names.push(key.name);
  return names;
}

/** A store of one object, which it shows as it was put. */
function keepsOne(): typeof answer {
  let kept: IncomingMessage['headers'] | undefined;
  return ({ method, headers, url = '' }, response) => {
    if (method === 'PUT' && url.includes('/droplets/')) kept = headers;
    if (method === 'PUT') response.setHeader('etag', '"1"');
    if (method === 'HEAD' && url.includes('/droplets/')) {
      for (const [name, value] of Object.entries(kept ?? {}))
        if (/^x-amz-meta-|^content-/.test(name)) response.setHeader(name, value ?? '');
    }
    const isThere =
      method === 'PUT' || (method === 'HEAD' && (kept !== undefined || !url.includes('/droplets/')));
    response.writeHead(isThere ? 200 : 404).end();
  };
}

describe('a store that answers oddly', () => {
  it('has its listing refused when that ends early, so that nothing missing is taken for garbage', async () => {
    answer = (_request, response) =>
      response.end(`${xml}<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`);
    await expect(list(at())).rejects.toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('not a complete listing'),
    });
  });

  it.each([
    ['a web page', 200, '<!doctype html><title>Sign in</title><br><p>hello'],
    ['nothing', 200, ''],
    ['half an answer', 200, `${xml}<ListBucketResult><Contents><Key>p/pack`],
    ['a page of an error', 502, '<html>Bad gateway'],
    ['text', 400, 'What?'],
  ])('is not taken for an empty one when it says %s', async (_name, status, body) => {
    answer = (_request, response) => response.writeHead(status).end(body);
    await expect(list(at())).rejects.toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
  });
});

describe('what is sent with an object', () => {
  const key: BlobKey = { kind: 'droplets', name: newGuid() };

  it('says how the store shall encrypt and keep it, and signs over its bytes', async () => {
    answer = keepsOne();
    const store = await openBlobStore(at('&sse=aws:kms&kmsKeyId=key-1&storageClass=STANDARD_IA'));
    await store.put(key, streamOf(Buffer.from('hello')), { contentType: 'text/plain', signal });
    const put = requests.find(({ method, url }) => method === 'PUT' && url?.includes('/droplets/') === true);
    expect(put?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-content-sha256': '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    });
    expect(Object.keys(put?.headers ?? {}).filter((name) => /checksum|trailer/.test(name))).toEqual([]);
  });

  it('signs a PUT for others with every header that they are told to send, and no other', async () => {
    const [sha1, sha256] = [parseSha1('0'.repeat(40)), parseSha256('0'.repeat(64))];
    if (sha1 === undefined || sha256 === undefined) throw new Error('digests');
    const store = await openBlobStore(at('&sse=aws:kms&kmsKeyId=key-1&storageClass=STANDARD_IA'));
    const digests = { sha1, sha256, sizeBytes: 5, contentType: 'text/plain' };
    const signed = await store.presign?.put(key, { signal, expiresInSeconds: 60, ...digests });
    const { searchParams } = new URL(signed?.url ?? '');
    const names = searchParams.get('X-Amz-SignedHeaders')?.split(';') ?? [];
    expect(new Set(['host', ...Object.keys(signed?.headers ?? {})])).toEqual(
      new Set(['content-type', ...names]),
    );
    expect(signed?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
      'x-amz-storage-class': 'STANDARD_IA',
    });
  });
});

describe('the way to a store', () => {
  const authority = new TestAuthority('company');
  let proxy: ResigningProxy;
  beforeAll(async () => {
    proxy = await ResigningProxy.open(authority, (_url, _request, response) => response.end(EMPTY));
  });
  afterAll(async () => {
    await proxy.close();
    authority.close();
  });
  const far = 's3://bucket/p?endpoint=https://store.example&attempts=1';
  const extraCas = async () => [authority.pem];

  it('leads through the usual proxy, with the certificate authorities of the operator', async () => {
    expect(await list(far, { proxy: { https: proxy.url }, extraCas })).toEqual([]);
    expect(await list(`${far}&caFile=${authority.file}`, { proxy: { https: proxy.url } })).toEqual([]);
    expect(proxy.requests).toHaveLength(2);
    expect(proxy.requests[0]).toContain('GET https://store.example/bucket');
  });

  it('is the direct one to a host that no_proxy names', async () => {
    expect(await list(at(), { proxy: { http: 'http://127.0.0.1:1', no: '127.0.0.0/8' } })).toEqual([]);
    expect(requests).toHaveLength(1);
  });

  it('is said to be barred by the proxy, without its password', async () => {
    const strict = createServer().on('connect', (_request, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    );
    strict.listen(0, '127.0.0.1');
    await once(strict, 'listening');
    const host = `127.0.0.1:${portOf(strict)}`;
    const failure = await list(far, { proxy: { https: `http://me:never-show-this@${host}` } }).catch(
      (error: unknown) => error,
    );
    strict.close();
    expect(failure).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`the proxy ${host}.*407`)),
      next: expect.stringContaining('no_proxy'),
    });
    const { inspect } = await import('node:util');
    expect(inspect(failure, { depth: 20 })).not.toContain('never-show-this');
  });

  it('is said to end at somebody whom nobody trusts', async () => {
    const secure = createTlsServer(authority.identity('127.0.0.1')).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const address = `s3://bucket/p?endpoint=https://127.0.0.1:${portOf(secure)}&attempts=1`;
    await expect(list(address)).rejects.toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      next: expect.stringContaining('--ca-file'),
    });
    secure.close();
  });
});

describe('an address that says too little or too much', () => {
  it.each([
    ['write https://HOST', 's3://bucket/p?endpoint=http:/me:never-show-this@host'],
    ['the endpoint contains credentials', 's3://bucket/p?endpoint=http%3A%2F%2Fme%3Anever-show-this%40host'],
    ['unknown parameter key, …', 's3://bucket/p?key=1&never-show-this/secret=1'],
    ['has more than scheme', 's3://bucket/p?endpoint=http://host/?token=never-show-this'],
    ['endpoint is given twice', 's3://bucket/p?endpoint=http://a&endpoint=http://b'],
    ['write https://HOST', 's3://bucket/p?endpoint=localhost:9000'],
    ['write it like eu-central-1', 's3://bucket/p?region=Frankfurt am Main'],
  ])('is refused: %s', async (why, address) => {
    const failure = await openBlobStore(address).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(why) });
    const { inspect } = await import('node:util');
    expect(inspect(failure)).not.toContain('never-show-this');
  });

  it('is refused when no region is known', async () => {
    const names = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) delete process.env[name];
    process.env['AWS_CONFIG_FILE'] = process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null';
    try {
      await expect(openBlobStore('s3://bucket/p')).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: 'no region is set for the bucket bucket',
      });
    } finally {
      names.forEach((name, n) => {
        const value = before[n];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      });
    }
  });
});
