/** Idle connections: no request has come yet, or all responses have been sent. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Watches `server`; what comes back ends such connections. Node takes some of them for busy (opened in advance, or after
 * a download), and closing would wait a minute for each.
 */
export function watchIdleConnections(server: Server): () => void {
  /** How many requests of each connection are being answered. */
  const underWay = new Map<Socket, number>();
  let closing = false;
  const count = (socket: Socket, change: number): void => {
    const left = (underWay.get(socket) ?? 0) + change;
    if (!socket.destroyed) underWay.set(socket, left);
    if (closing && left === 0) socket.destroySoon();
  };
  const opened = (socket: Socket): void => {
    underWay.set(socket, 0);
    socket.once('close', () => underWay.delete(socket));
  };
  // Over TLS a 'connection' is the socket below, on which no request is made.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', opened);
  server.on('request', ({ socket }, response) => {
    count(socket, 1);
    response.once('close', () => count(socket, -1));
  });
  return () => {
    closing = true;
    for (const [socket, requests] of underWay) if (requests === 0) socket.destroy();
  };
}
