/**
 * Between a worker and the database. `cut` drops what there is and takes nothing new, as a router that refuses; `hang`
 * passes nothing on and says nothing, as a cable that is out, and what was held comes late when it heals.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  cut(): void;
  hang(): void;
  heal(): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let state: 'whole' | 'cut' | 'hangs' = 'whole';
  let held: (() => void)[] = [];
  const pass = (step: () => void): void => {
    if (state === 'hangs') held.push(step);
    else step();
  };
  const server = createServer((from) => {
    if (state === 'cut') {
      from.destroy();
      return;
    }
    const to = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => pass(() => other.write(bytes)));
      socket.on('close', () => {
        open.delete(socket);
        pass(() => other.destroy());
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    cut: () => {
      state = 'cut';
      for (const socket of open) socket.destroy();
    },
    hang: () => {
      state = 'hangs';
    },
    heal: () => {
      state = 'whole';
      const steps = held;
      held = [];
      for (const step of steps) step();
    },
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
