/** A proxy in front of the S3 server that answers one kind of request in one of forty odd ways. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What a request asks for. */
export const OPERATIONS = [
  'HeadObject',
  'GetObject',
  'ListObjects',
  'PutObject',
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'AbortMultipartUpload',
  'ListMultipartUploads',
  'DeleteObject',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The server's answer, which a way changes. */
interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

interface Way {
  /** Instead of asking the server; undefined goes on. */
  readonly before?: (from: IncomingMessage, to: ServerResponse) => boolean;
  /** Changes the answer. */
  readonly change?: (answer: Answer) => void;
  /** Sends it in another way. */
  readonly send?: (answer: Answer, to: ServerResponse) => void;
}

const error = (status: number, code: string, headers: Record<string, string> = {}): Way => ({
  before: (_from, to) => {
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
    to.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
    return true;
  },
});
const instead = (status: number, body: string, headers: Record<string, string> = {}): Way => ({
  before: (_from, to) => {
    to.writeHead(status, headers).end(body);
    return true;
  },
});
const socket = (act: (from: IncomingMessage) => void): Way => ({
  before: (from) => {
    act(from);
    return true;
  },
});
const header = (name: string, value?: string): Way => ({
  change: ({ headers }) => {
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  },
});
const text = (change: (body: string) => string): Way => ({
  change: (answer) => {
    answer.body = Buffer.from(change(answer.body.toString('latin1')), 'latin1');
    answer.headers['content-length'] = String(answer.body.length);
  },
});
const html = '<!doctype html><html><title>Sign in</title><p>Please sign in.</html>';

/** Fifty ways to misbehave. */
export const WAYS: Readonly<Record<string, Way>> = {
  'resets before it asks': socket((from) => from.socket.destroy()),
  'hangs forever': socket(() => undefined),
  'is not HTTP': socket((from) => from.socket.end('SSH-2.0-OpenSSH_9.6\r\n')),
  'ends in the headers': socket((from) => from.socket.end('HTTP/1.1 200 OK\r\ncontent-le')),
  'has no status': socket((from) => from.socket.end('HTTP/1.1 abc\r\n\r\n')),
  'says 400': error(400, 'BadRequest'),
  'says 401': error(401, 'Unauthorized'),
  'says 403': error(403, 'AccessDenied'),
  'says 404 for the key': error(404, 'NoSuchKey'),
  'says 404 without a word': instead(404, ''),
  'says 405': error(405, 'MethodNotAllowed'),
  'says 409': error(409, 'OperationAborted'),
  'says 412': error(412, 'PreconditionFailed'),
  'says 416': error(416, 'InvalidRange'),
  'says 429': error(429, 'TooManyRequests'),
  'says 500': error(500, 'InternalError'),
  'says 501': error(501, 'NotImplemented'),
  'says 502 as a page': instead(502, '<html>Bad gateway</html>'),
  'says 503 and later': error(503, 'SlowDown', { 'retry-after': '1' }),
  'says 503 and much later': error(503, 'SlowDown', { 'retry-after': '3600' }),
  'says 504': instead(504, ''),
  'says 507': error(507, 'XMinioStorageFull'),
  'moves to another region': error(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-3' }),
  'redirects to a login': instead(302, html, { location: 'http://login.invalid/' }),
  'redirects for a time': error(307, 'TemporaryRedirect', { 'x-amz-bucket-region': 'eu-west-3' }),
  'wants a newer session': error(400, 'ExpiredToken'),
  'says 200 and nothing': instead(200, ''),
  'says 200 and a page': instead(200, html, { 'content-type': 'text/html' }),
  'says 200 and JSON': instead(200, '{"ok":true}', { 'content-type': 'application/json' }),
  'says 200 and an error': instead(200, '<?xml version="1.0"?><Error><Code>InternalError</Code></Error>'),
  'says 200 with an ETag and nothing': instead(200, '', { etag: '"1"' }),
  'says 204': instead(204, ''),
  'does it and loses the answer': { send: (_answer, to) => to.socket?.destroy() },
  'does it and says 500': {
    change: (answer) => Object.assign(answer, { status: 500, body: Buffer.alloc(0) }),
  },
  'does it and says nothing of it': {
    change: (answer) => Object.assign(answer, { headers: {}, body: Buffer.alloc(0) }),
  },
  'cuts the body and resets': {
    send: ({ status, headers, body }, to) => {
      to.writeHead(status, headers);
      to.write(body.subarray(0, body.length / 2), () => to.socket?.destroy());
    },
  },
  'cuts the body and stalls': {
    send: ({ status, headers, body }, to) => {
      to.writeHead(status, headers);
      to.write(body.subarray(0, body.length / 2));
    },
  },
  'cuts the body and says nothing': text((body) => body.slice(0, body.length / 2)),
  'sends more than it said': text((body) => `${body}${body}`),
  'flips a bit': {
    change: ({ body }) => {
      const at = body.length >> 1;
      if (body.length > 0) body[at] = (body[at] ?? 0) ^ 1;
    },
  },
  'flips a bit of the metadata': {
    change: ({ headers }) => {
      for (const [name, value] of Object.entries(headers))
        if (name.startsWith('x-amz-meta-'))
          headers[name] = value.replace(/[0-9]/, (it) => String(Number(it) ^ 1));
    },
  },
  'has no ETag': header('etag'),
  'has a weak ETag': { change: ({ headers }) => (headers['etag'] = `W/${headers['etag'] ?? '"1"'}`) },
  'has no length': {
    send: ({ status, headers, body }, to) => {
      const { 'content-length': _, ...rest } = headers;
      to.writeHead(status, rest).end(body);
    },
  },
  'has no time': header('last-modified'),
  'has a time that is none': header('last-modified', 'yesterday'),
  'has no metadata': {
    change: ({ headers }) => {
      for (const name of Object.keys(headers)) if (name.startsWith('x-amz-meta-')) delete headers[name];
    },
  },
  'has the wrong range': header('content-range', 'bytes 7-9/10'),
  'claims to be packed': header('content-encoding', 'gzip'),
  'repeats its token forever': text((body) =>
    body.replace(
      '<IsTruncated>false</IsTruncated>',
      '<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><NextKeyMarker>t</NextKeyMarker>',
    ),
  ),
  'says that there is more, not where': text((body) =>
    body.replace('<IsTruncated>false', '<IsTruncated>true'),
  ),
  'counts what it does not list': text((body) => body.replace(/<Contents>.*<\/Contents>/s, '')),
  'lists what nobody asked for': text((body) =>
    body.replace('<Contents>', '<Contents><Key>else/records/customers.db</Key></Contents><Contents>'),
  ),
};

/** A running proxy. */
export interface OddProxy {
  readonly endpoint: string;
  /** Requests since the last call of `misbehave`. */
  readonly count: number;
  /** From now on: in this way at these requests; always well when undefined. */
  misbehave(way: string | undefined, operation?: Operation, path?: RegExp): void;
  stop(): Promise<void>;
}

/** Starts a proxy on loopback for the server at `port`. */
export async function startOddProxy(port: number): Promise<OddProxy> {
  let current: { way?: Way | undefined; operation?: Operation | undefined; path?: RegExp | undefined } = {};
  let count = 0;
  const server = createServer((from, to) => {
    count++;
    const isMeant = current.path?.test(from.url ?? '') !== false && operationOf(from) === current.operation;
    const way = isMeant ? current.way : undefined;
    to.on('error', () => undefined);
    void answer(from, to, { port, way: way ?? {} }).catch(() => from.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    get count() {
      return count;
    },
    misbehave(way, operation, path) {
      current = { way: way === undefined ? undefined : WAYS[way], operation, path };
      count = 0;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Marks of stores are not part of it: they are read before anything else. */
function operationOf({ method = '', url = '' }: IncomingMessage): Operation | undefined {
  const { pathname, searchParams } = new URL(url, 'http://store');
  if (pathname.endsWith('/.stager-store')) return undefined;
  if (method === 'HEAD') return pathname.split('/').length > 2 ? 'HeadObject' : undefined;
  if (method === 'DELETE') return searchParams.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  if (method === 'POST')
    return searchParams.has('uploadId') ? 'CompleteMultipartUpload' : 'CreateMultipartUpload';
  if (method === 'PUT') return searchParams.has('partNumber') ? 'UploadPart' : 'PutObject';
  if (searchParams.has('uploads')) return 'ListMultipartUploads';
  return searchParams.has('list-type') ? 'ListObjects' : 'GetObject';
}

async function answer(
  from: IncomingMessage,
  to: ServerResponse,
  { port, way }: { readonly port: number; readonly way: Way },
): Promise<void> {
  const body = await buffer(from);
  if (way.before?.(from, to) === true) return;
  const got = await ask(from, body, port);
  way.change?.(got);
  if (way.send !== undefined) way.send(got, to);
  else to.writeHead(got.status, got.headers).end(got.body);
}

async function ask(from: IncomingMessage, body: Buffer, port: number): Promise<Answer> {
  // The signature covers the host header, so it goes on as it came.
  const options = {
    host: '127.0.0.1',
    port,
    method: from.method ?? 'GET',
    path: from.url ?? '/',
    headers: from.headers,
  };
  const upstream = request(options);
  upstream.end(body);
  const [reply]: IncomingMessage[] = await once(upstream, 'response');
  if (reply === undefined) throw new Error('no answer');
  return { status: reply.statusCode ?? 500, headers: flat(reply.headers), body: await buffer(reply) };
}

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  const { 'transfer-encoding': _, ...rest } = headers;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)]));
}
