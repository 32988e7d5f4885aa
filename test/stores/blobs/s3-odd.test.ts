/** Who is blamed for what an S3 store or something in its place answers, and that there is an end to it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { Pool } from '../../../src/stores/resource-cache/pool.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { portOf } from '../../support/resigning-proxy.ts';
import { useTestCredentials } from '../../support/s3-server.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const xml = '<?xml version="1.0"?>';
const bytes = Buffer.from('hello');
const { sha1, sha256 } = digestsOf(bytes);
const key: BlobKey = { kind: 'droplets', name: newGuid() };
const headers = {
  'content-length': '5',
  etag: '"1"',
  'x-amz-meta-stager-sha1': sha1,
  'x-amz-meta-stager-sha256': sha256,
};

let server: Server;
let requests: string[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeAll(useTestCredentials);
beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(request.method ?? '');
    request.resume().once('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  useTestCredentials();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const open = (more = '&attempts=2'): Promise<BlobStore> =>
  openBlobStore(`s3://bucket/p?endpoint=http://127.0.0.1:${portOf(server)}${more}`);

async function names(store: BlobStore): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const blob of store.names('packages', { signal })) found.push(blob.key.name);
  return found;
}

async function failureOf(step: Promise<unknown>): Promise<StagerError> {
  const error = await step.catch((thrown: unknown) => thrown);
  if (error instanceof StagerError) return error;
  throw new Error(`no failure of ours: ${String(error)}`);
}

const page = (inside: string): string =>
  `${xml}<ListBucketResult><Name>bucket</Name>${inside}</ListBucketResult>`;
const content = (name: string): string =>
  `<Contents><Key>${name}</Key><Size>99</Size><LastModified>2020-01-01T00:00:00Z</LastModified></Contents>`;

describe('every message of the store', () => {
  it.each([
    ['an error', (_: IncomingMessage, response: ServerResponse) => response.writeHead(503).end()],
    ['a denial', (_: IncomingMessage, response: ServerResponse) => response.writeHead(403).end()],
    ['a web page', (_: IncomingMessage, response: ServerResponse) => response.end('<html><p>Sign in</html>')],
    ['a reset', ({ socket }: IncomingMessage) => socket.destroy()],
    ['no HTTP', ({ socket }: IncomingMessage) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')],
  ])('names endpoint, bucket, operation and tries when it gets %s', async (_name, says) => {
    answer = says;
    const { message, code } = await failureOf(names(await open()));
    expect(code).toMatch(/BLOBSTORE_(UNAVAILABLE|DENIED)/);
    expect(message).toContain('listing failed');
    expect(message).toContain(`bucket bucket, key p/packages/ at http://127.0.0.1:${portOf(server)}`);
    expect(message).toMatch(/tried (once|2 times)/);
  });

  it('calls a broken connection by its name', async () => {
    answer = ({ socket }) => socket.destroy();
    const { message, next } = await failureOf(names(await open()));
    expect(message).toContain('ECONNRESET');
    expect(message).not.toContain('did not answer');
    expect(next).not.toContain('raise');
  });

  it.each([
    [301, 'PermanentRedirect'],
    [307, 'TemporaryRedirect'],
  ])('names the region that an answer with status %i names', async (status, code) => {
    answer = (_, response) =>
      response
        .writeHead(status, { 'x-amz-bucket-region': 'eu-west-3' })
        .end(`${xml}<Error><Code>${code}</Code></Error>`);
    expect(await failureOf(names(await open()))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('region eu-west-3'),
      next: expect.stringContaining('?region=eu-west-3'),
    });
  });

  it('says that the store wants to be left alone for longer than there is time', async () => {
    answer = (_, response) => response.writeHead(503, { 'retry-after': '120' }).end();
    const { message } = await failureOf(names(await open('')));
    expect(message).toContain('a pause of 120 s');
    expect(requests).toHaveLength(1);
  });
});

describe('credentials that can not be sent', () => {
  it.each([
    ['AWS_ACCESS_KEY_ID', 'AKIA/never-show', 'the access key'],
    ['AWS_SECRET_ACCESS_KEY', 'never-show\n', 'the secret access key'],
    ['AWS_SECRET_ACCESS_KEY', 'never\nshow', 'the secret access key'],
  ])('are a matter of the configuration: %s', async (name, value, which) => {
    answer = (_, response) => response.end(page(''));
    process.env[name] = value;
    const error = await failureOf(names(await open()));
    const read = await failureOf(buffer((await open()).readRange(key, { signal, start: 0, end: 1 })));
    for (const { code, message } of [error, read]) {
      expect(code).toBe('CONFIG_INVALID');
      expect(message).toContain(which);
      expect(message).not.toContain('never');
    }
    expect(requests).toHaveLength(0);
  });
});

describe('a prefix', () => {
  it.each(['/a/../b', '/..', '/./a', '/a/%2e%2E/b'])(
    '%s is refused instead of read as another one',
    async (path) => {
      await expect(openBlobStore(`s3://bucket${path}?region=eu-west-3`)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('. or ..'),
      });
    },
  );
});

describe('a listing', () => {
  it.each([
    ['the same page forever', () => 'same'],
    ['new pages without anything forever', () => String(requests.length)],
  ])('ends when the store gives %s', async (_name, token) => {
    answer = (_, response) =>
      response.end(
        page(`<IsTruncated>true</IsTruncated><NextContinuationToken>${token()}</NextContinuationToken>`),
      );
    expect(await failureOf(names(await open()))).toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
    expect(requests.length).toBeLessThan(300);
  });

  it.each([
    ['keys that it counts are not there', '<KeyCount>8</KeyCount>'],
    ['it lists what was not asked for', content('q/packages/ab/cd/abcd')],
    ['it lists what another kind has', content('p/droplets/ab/cd/abcd')],
  ])('is refused when %s', async (_name, inside) => {
    answer = (_, response) => response.end(page(`<IsTruncated>false</IsTruncated>${inside}`));
    expect(await failureOf(names(await open()))).toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
  });

  it('is asked for again when one page is cut off, and when one answer is not HTTP', async () => {
    const whole = page(`<IsTruncated>false</IsTruncated>${content('p/packages/ab/cd/abcd')}`);
    answer = ({ socket }, response) => {
      if (requests.length === 1) response.end(whole.slice(0, -30));
      else if (requests.length === 2) socket.end('what?\r\n\r\n');
      else response.end(whole);
    };
    expect(await names(await open(''))).toEqual(['abcd']);
    expect(requests).toHaveLength(3);
  });

  it('takes what has no time for new', async () => {
    answer = (_, response) =>
      response.end(
        page('<IsTruncated>false</IsTruncated><Contents><Key>p/packages/ab/cd/abcd</Key></Contents>'),
      );
    for await (const { modifiedAtMs } of (await open()).names('packages', { signal }))
      expect(Date.now() - modifiedAtMs).toBeLessThan(3_600_000);
    expect(requests).toHaveLength(1);
  });
});

describe('a listing of unfinished uploads', () => {
  const upload = '<Upload><Key>q/films/1.mkv</Key><UploadId>1</UploadId></Upload>';
  it.each([
    ['lists what was not asked for', `<Bucket>bucket</Bucket>${upload}<IsTruncated>false</IsTruncated>`],
    ['has more, but says not where', '<Bucket>bucket</Bucket><IsTruncated>true</IsTruncated>'],
    ['is a page of somebody else', '<title>Sign in</title>'],
  ])('is refused when it %s, and nothing is removed', async (_name, inside) => {
    answer = ({ url = '' }, response) =>
      response.end(
        /[?&]uploads/.test(url)
          ? `${xml}<ListMultipartUploadsResult>${inside}</ListMultipartUploadsResult>`
          : page('<IsTruncated>false</IsTruncated>'),
      );
    const sweeping = (await open()).sweep({ signal, minAgeMs: 0 });
    expect(await failureOf(sweeping)).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringMatching(/listing unfinished uploads failed.*tried 2 times/),
    });
    expect(new Set(requests)).toEqual(new Set(['GET']));
  });
});

describe('what is reported as stored', () => {
  it.each([
    ['an empty 200', '', {}],
    ['a page that wants a login', '<html>Sign in</html>', {}],
    ['a 200 with an ETag, and then nothing is there', '', { etag: '"1"' }],
  ])('was seen: %s', async (_name, body, more) => {
    answer = ({ method, url = '' }, response) =>
      method === 'PUT' && url.includes('/droplets/')
        ? response.writeHead(200, more).end(body)
        : response
            .writeHead(method === 'GET' || url.includes('/droplets/') ? 404 : 200, { etag: '"1"' })
            .end();
    const put = (await open()).put(key, streamOf(bytes), { contentType: 'text/plain', signal });
    expect(await failureOf(put)).toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
  });

  it('was seen: a 200, and the blob that was there before stays', async () => {
    answer = ({ method }, response) =>
      method === 'GET'
        ? response.writeHead(404).end()
        : response.writeHead(200, method === 'PUT' ? { etag: '"2"' } : headers).end();
    const put = (await open()).put(key, streamOf(Buffer.from('other')), {
      contentType: 'text/plain',
      signal,
    });
    expect(await failureOf(put)).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('answered that it was done'),
    });
  });

  it('is not deleted by a 200 of somebody else', async () => {
    answer = ({ method }, response) => response.writeHead(200, method === 'HEAD' ? headers : {}).end();
    expect(await failureOf((await open()).delete(key, { signal }))).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('still there'),
    });
  });
});

describe('an index of which a listed part is not given', () => {
  it('is asked for with pauses, and not forever', async () => {
    const name = `p/resources/lo/ca/local/index/${'0'.repeat(24)}`;
    answer = ({ url = '' }, response) =>
      url.includes('list-type')
        ? response.end(page(`<IsTruncated>false</IsTruncated>${content(name)}`))
        : response.writeHead(404).end();
    const pool = new Pool(await open(), 'local');
    expect(await failureOf(pool.match([{ sha1, sizeBytes: 5 }], { signal }))).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('does not return it'),
    });
    expect(requests.length).toBeLessThan(60);
  });
});

describe('reading', () => {
  /** HEAD as a store of one object, GET as the test wants. */
  const withGet = (get: (response: ServerResponse) => void, head: Record<string, string> = headers): void => {
    answer = ({ method }, response) =>
      method === 'HEAD' ? response.writeHead(200, head).end() : get(response);
  };
  const read = async (store: BlobStore): Promise<string> =>
    (await buffer((await store.get(key, { signal })).body)).toString();

  it('does not take an answer without a length for a damaged blob', async () => {
    const { 'content-length': _, ...rest } = headers;
    withGet((response) => response.end(), rest);
    expect(await failureOf(read(await open()))).toMatchObject({
      code: 'BLOBSTORE_UNAVAILABLE',
      message: expect.stringContaining('without a length'),
    });
  });

  it('works with ETags that are weak, and still never joins two versions', async () => {
    const etag = 'W/"1"';
    const part = (range: string, tag: string) => ({ 'content-range': range, etag: tag });
    let second = etag;
    withGet(
      (response) => {
        const first = requests.filter((method) => method === 'GET').length % 2 === 1;
        response.writeHead(206, first ? part('bytes 0-4/5', etag) : part('bytes 3-4/5', second));
        response.end(first ? 'hel' : 'lo');
      },
      { ...headers, etag },
    );
    expect(await read(await open(''))).toBe('hello');
    second = 'W/"2"';
    expect(await failureOf(read(await open('')))).toMatchObject({
      code: 'BLOB_NOT_FOUND',
      message: expect.stringMatching(
        /was replaced .*\(reading \(at byte 3\): its ETag is W.*; tried 2 times\)/,
      ),
    });
  });

  it.each([403, 404, 412])(
    'says what came back when that was %i, and how often it was tried',
    async (status) => {
      withGet((response) => response.writeHead(status).end());
      const { message } = await failureOf(read(await open()));
      for (const part of [
        'bucket',
        'p/droplets/',
        'http://127.0.0.1',
        'reading (at byte 0)',
        `HTTP ${status}`,
        'tried once',
      ])
        expect(message).toContain(part);
    },
  );

  it('ends when the store gives a byte now and then', async () => {
    withGet((response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-4/5', etag: '"1"' });
      response.write('h');
      response.flushHeaders();
    });
    const error = await failureOf(read(await open('&attempts=3&requestTimeoutMs=200')));
    expect(error.code).toBe('BLOBSTORE_UNAVAILABLE');
    expect(requests.filter((method) => method === 'GET').length).toBeLessThan(4);
  });
});
