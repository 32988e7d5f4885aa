/** The figures of a worker over HTTP, since a worker serves nothing else: `/metrics`, and `/healthz` for who starts it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StagerError } from '../../words/errors.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsListener {
  readonly url: string;
  close(): void;
}

/** @throws StagerError PORT_IN_USE. */
export async function listenForMetrics(
  metrics: Metrics,
  at: { readonly host: string; readonly port: number },
): Promise<MetricsListener> {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') response.end('{"status":"ok"}\n');
    else if (request.url === '/metrics') {
      void metrics.text().then(
        ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
        () => response.writeHead(500).end(),
      );
    } else response.writeHead(404).end();
  });
  server.listen(at.port, at.host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new StagerError('PORT_IN_USE', `can't listen on ${at.host}:${at.port}`, {
      next: 'Give --metrics-port another number.',
      cause,
    });
  }
  const address: AddressInfo | string | null = server.address();
  const port = address === null || typeof address === 'string' ? at.port : address.port;
  return {
    url: `http://${at.host}:${port}/metrics`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
