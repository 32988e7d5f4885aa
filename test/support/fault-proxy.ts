/** A proxy in front of the S3 server that does to requests what networks and loaded stores do. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';

/** What happens to a request. */
export type Fault =
  | { readonly kind: 'none' }
  /** The connection is reset before the server sees the request. */
  | { readonly kind: 'reset' }
  /** The server does what it was asked, and the answer is lost. */
  | { readonly kind: 'lost-answer' }
  /** The request is read and never answered. */
  | { readonly kind: 'hang' }
  /** The server gets the request so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** An S3 error answer. */
  | { readonly kind: 'error'; readonly status: number; readonly code: string }
  /** The body of the answer ends after so many bytes, with a reset. */
  | { readonly kind: 'truncate'; readonly bytes: number }
  /** The body of the answer ends after so many bytes and the connection hangs. */
  | { readonly kind: 'stall'; readonly bytes: number }
  /** One byte of the answer's body is flipped. */
  | { readonly kind: 'flip'; readonly at: number };

/** Decides for each request, counted from 1. */
export type Plan = (request: {
  readonly count: number;
  readonly method: string;
  readonly url: string;
}) => Fault;

/** A running proxy. */
export interface FaultProxy {
  readonly endpoint: string;
  /** Requests seen since the plan was set. */
  readonly count: number;
  plan(plan: Plan): void;
  stop(): Promise<void>;
}

/** Starts a proxy on loopback for the server at `port`; faultless until it gets a plan. */
export async function startFaultProxy(port: number): Promise<FaultProxy> {
  let current: Plan = () => ({ kind: 'none' });
  let count = 0;
  const server = createServer((from, to) => {
    count++;
    const fault = current({ count, method: from.method ?? '', url: from.url ?? '' });
    if (fault.kind === 'reset') {
      from.socket.destroy();
      return;
    }
    if (fault.kind === 'error') {
      answerError(from, to, fault);
      return;
    }
    if (fault.kind === 'hang') {
      from.resume();
      return;
    }
    const delayMs = fault.kind === 'delay' ? fault.ms : 0;
    setTimeout(() => forward({ from, to, port, fault }), delayMs);
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
    plan(plan) {
      current = plan;
      count = 0;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function answerError(
  from: IncomingMessage,
  to: ServerResponse,
  fault: { status: number; code: string },
): void {
  from.resume();
  from.once('end', () => {
    // The body of a HEAD answer is left out by node.
    to.writeHead(fault.status, { 'content-type': 'application/xml' });
    to.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`);
  });
}

function forward({
  from,
  to,
  port,
  fault,
}: {
  from: IncomingMessage;
  to: ServerResponse;
  port: number;
  fault: Fault;
}): void {
  // The signature covers the host header, so it goes on as it came.
  const options = {
    host: '127.0.0.1',
    port,
    method: from.method ?? 'GET',
    path: from.url ?? '/',
    headers: from.headers,
  };
  const upstream = request(options, (answer) => {
    if (fault.kind === 'lost-answer') {
      answer.resume();
      answer.once('end', () => from.socket.destroy());
      return;
    }
    to.writeHead(answer.statusCode ?? 500, answer.headers);
    let sent = 0;
    answer.on('data', (chunk: Buffer) => {
      let out = chunk;
      if (fault.kind === 'flip' && fault.at >= sent && fault.at < sent + chunk.length) {
        out = Buffer.from(chunk);
        out[fault.at - sent] = (out[fault.at - sent] ?? 0) ^ 1;
      }
      if (fault.kind === 'truncate' || fault.kind === 'stall')
        out = chunk.subarray(0, Math.max(0, fault.bytes - sent));
      sent += chunk.length;
      to.write(out, () => {
        if (fault.kind === 'truncate' && sent >= fault.bytes) from.socket.destroy();
      });
    });
    answer.once('end', () => {
      if (fault.kind !== 'stall' || sent < fault.bytes) to.end();
    });
    answer.once('error', () => from.socket.destroy());
  });
  upstream.once('error', () => from.socket.destroy());
  from.pipe(upstream);
}
