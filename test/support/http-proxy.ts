/** A proxy of HTTP: takes every name for this machine, refuses names that say so, and notes what it was asked for. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** @param asked takes one line for each request; @param tls makes it a proxy that is spoken to over TLS. */
export function httpProxy(
  asked: (line: string) => void,
  tls?: { readonly cert: string | Buffer; readonly key: string | Buffer },
): Server {
  const server = tls === undefined ? createServer() : createTlsServer(tls);
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method, url = '', headers } = incoming;
    asked(`proxy ${method} ${url} host ${headers.host} ${headers['proxy-authorization'] ?? 'anybody'}`);
    const { port, pathname } = new URL(url);
    const onward = request({ host: '127.0.0.1', port, path: pathname, method }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.once('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  server.on('connect', (incoming: IncomingMessage, socket: Duplex) => {
    const { url = '', headers } = incoming;
    asked(`proxy CONNECT ${url} ${headers['proxy-authorization'] ?? 'anybody'}`);
    socket.on('error', () => socket.destroy());
    if (url.includes('refused')) {
      socket.end('HTTP/1.1 403 Not For You\r\n\r\n');
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: Number(url.split(':').at(-1)) }, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(upstream);
      upstream.pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  });
  return server;
}
