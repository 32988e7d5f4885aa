/** The port that a process is told to listen on. */

import { createServer } from 'node:net';
import type { NetworkKind } from '../../machine/sandbox/port/network.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** Cloud Foundry's default, used where the run has a network of its own. */
const DEFAULT_PORT = 8080;

/**
 * The port for a process: the given one, or a free one for 0 and undefined. On the host's network nobody may
 * listen there yet; another program can still take it before the app does, and the app then says so. With `egress` it
 * has to be free on the machine as well, which publishes it.
 *
 * @throws StagerError USAGE for a number that is not a port, PORT_IN_USE naming the port.
 */
export async function choosePort(wanted: number | undefined, network: NetworkKind): Promise<number> {
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 0 && wanted <= 65_535)) {
    throw new StagerError('USAGE', `${wanted} is not a port`, {
      next: 'Give a number from 1 to 65535, or 0 for any free port.',
      details: { port: wanted },
    });
  }
  if (network === 'none') return wanted === undefined || wanted === 0 ? DEFAULT_PORT : wanted;
  return await listenOnce(wanted ?? 0);
}

/** Listening on all addresses fails when any address of the port is taken. */
async function listenOnce(port: number): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', (error) => reject(taken(port, error)));
  server.listen({ port, host: '0.0.0.0', exclusive: true }, () => {
    const address = server.address();
    const chosen = typeof address === 'object' && address !== null ? address.port : port;
    server.close(() => resolve(chosen));
  });
  return await promise;
}

function taken(port: number, error: Error): Error {
  const errno = errnoOf(error);
  if (errno !== 'EADDRINUSE' && errno !== 'EACCES') return error;
  const reason = errno === 'EACCES' ? 'may not be used without privileges' : 'is in use on this machine';
  return new StagerError('PORT_IN_USE', `port ${port} ${reason}`, {
    next: 'Give another --port, or 0 for any free one.',
    details: { port, errno },
    cause: error,
  });
}
