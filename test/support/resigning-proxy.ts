/**
 * A proxy as companies run them: it opens TLS that passes through CONNECT and signs every host with an authority
 * of its own, so that only those who trust that authority get an answer.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import type { TestAuthority } from './test-authority.ts';

/** Answers a request for `url`, scheme and host as the client meant them. */
export type Answer = (url: URL, request: IncomingMessage, response: ServerResponse) => void;

/** A running proxy. */
export class ResigningProxy {
  /** For `http_proxy` and `https_proxy`. */
  readonly url: string;
  /** `METHOD URL` of everything that came through, in order. */
  readonly requests: string[] = [];
  readonly #outer: Server;
  readonly #inner: Server;
  readonly #open: Set<Duplex>;

  private constructor(parts: { outer: Server; inner: Server; open: Set<Duplex>; port: number }) {
    this.#outer = parts.outer;
    this.#inner = parts.inner;
    this.#open = parts.open;
    this.url = `http://127.0.0.1:${parts.port}`;
  }

  /** Listens on a free port of the loopback interface, or on the given one. */
  static async open(authority: TestAuthority, answer: Answer, port = 0): Promise<ResigningProxy> {
    const open = new Set<Duplex>();
    const proxy: { current?: ResigningProxy } = {};
    const respond = (base: string, request: IncomingMessage, response: ServerResponse): void => {
      const url = new URL(request.url ?? '/', base);
      proxy.current?.requests.push(`${request.method} ${url.href}`);
      answer(url, request, response);
    };
    const inner = createServer((request, response) =>
      respond(`https://${request.headers.host ?? 'unknown'}`, request, response),
    );
    const outer = createServer((request, response) =>
      respond(`http://${request.headers.host ?? 'unknown'}`, request, response),
    );
    outer.on('connection', (socket: Socket) => track(open, socket));
    outer.on('connect', (request, socket, head) => {
      const [host = ''] = (request.url ?? '').split(':');
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) socket.unshift(head);
      const secureContext = createSecureContext(authority.identity(host));
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      // A client that does not trust us hangs up; that is its right.
      secure.on('error', () => secure.destroy());
      track(open, secure);
      inner.emit('connection', secure);
    });
    await new Promise<void>((resolve) => outer.listen(port, '127.0.0.1', resolve));
    proxy.current = new ResigningProxy({ outer, inner, open, port: portOf(outer) });
    return proxy.current;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#inner.close();
    await new Promise((resolve) => this.#outer.close(resolve));
  }
}

function track(open: Set<Duplex>, socket: Duplex): void {
  open.add(socket);
  socket.on('close', () => open.delete(socket));
  socket.on('error', () => socket.destroy());
}

/** Port of a server that listens on TCP. */
export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}
