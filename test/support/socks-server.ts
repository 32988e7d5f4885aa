/** A SOCKS5 proxy that connects, or refuses names that say so; it notes what it was asked for. */
import { connect, createServer, type Server, type Socket } from 'node:net';

const HOST_UNREACHABLE = 4;

/** @param asked takes one line for each request. */
export function socksServer(asked: (line: string) => void): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (greeting: Buffer) => {
      const wantsUser = greeting.subarray(2).includes(2);
      socket.write(Buffer.from([5, wantsUser ? 2 : 0]));
      if (!wantsUser) socket.once('data', (request: Buffer) => answer(socket, request, asked));
      else socket.once('data', (login: Buffer) => authenticate(socket, login, asked));
    });
  });
}

function authenticate(socket: Socket, login: Buffer, asked: (line: string) => void): void {
  const isKnown = login.toString().includes('friend');
  socket.write(Buffer.from([1, isKnown ? 0 : 1]));
  if (isKnown) socket.once('data', (request: Buffer) => answer(socket, request, asked));
  else socket.end();
}

function answer(socket: Socket, request: Buffer, asked: (line: string) => void): void {
  const isName = request[3] === 3;
  const bytes = request.subarray(isName ? 5 : 4, -2);
  const host = isName ? bytes.toString() : bytes.length === 4 ? [...bytes].join('.') : bytes.toString('hex');
  const port = request.readUInt16BE(request.length - 2);
  asked(`socks ${isName ? 'name' : 'address'} ${host}`);
  if (host.includes('refused')) {
    socket.end(Buffer.from([5, HOST_UNREACHABLE, 0, 1, 0, 0, 0, 0, 0, 0]));
    return;
  }
  const upstream = connect({ host: '127.0.0.1', port }, () => {
    socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
    socket.pipe(upstream);
    upstream.pipe(socket);
  });
  upstream.on('error', () => socket.destroy());
  // Whichever side goes first takes the other with it.
  socket.on('close', () => upstream.destroy());
  upstream.on('close', () => socket.destroy());
}
