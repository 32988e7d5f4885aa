/** The socket side: time limits for slow clients, size limits for headers, TLS. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { LIMITS } from './route/limits.ts';

/** Key and certificate in PEM. */
export interface TlsFiles {
  readonly key: string;
  readonly cert: string;
}

/** How long a client may take. Milliseconds; see limits.ts. */
export type Patience = Pick<Record<keyof typeof LIMITS, number>, 'headersMs' | 'requestMs' | 'idleMs'> & {
  /** Between looks at who takes too long. */
  readonly lookMs: number;
};

const PATIENCE: Patience = { ...LIMITS, lookMs: 5000 };

export function createListener(
  handler: RequestListener,
  tls: TlsFiles | undefined,
  { headersMs, requestMs, idleMs, lookMs }: Patience = PATIENCE,
): Server {
  const options = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    maxHeaderSize: LIMITS.headerBytes,
    connectionsCheckingInterval: lookMs,
  };
  const server =
    tls === undefined
      ? createServer(options, handler)
      : createTlsServer({ ...options, ...tls, minVersion: 'TLSv1.2' }, handler);
  // Sockets on which nothing moves are closed, whatever they are in the middle of.
  server.setTimeout(idleMs);
  return server;
}
