/** The socket side: time limits for slow clients, size limits for headers, TLS. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { LIMITS } from './route/limits.ts';

/** Key and certificate in PEM. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

export function createListener(handler: RequestListener, tls: TlsFiles | undefined): Server {
  const options = {
    headersTimeout: LIMITS.headersMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    maxHeaderSize: LIMITS.headerBytes,
    connectionsCheckingInterval: 5000,
  };
  const server =
    tls === undefined
      ? createServer(options, handler)
      : createTlsServer({ ...options, ...tls, minVersion: 'TLSv1.2' }, handler);
  // Sockets on which nothing moves are closed, whatever they are in the middle of.
  server.setTimeout(LIMITS.idleMs);
  return server;
}
