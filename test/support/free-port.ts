/** Ports for servers that another program opens. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below those that the kernel hands out by itself (32768 and up), so that no other test's connection or server takes
 * the port between our asking and its use.
 */
const [LOWEST, BEYOND] = [20_000, 32_000];

/** A port on which nobody of this machine listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, BEYOND);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer().once('error', () => resolve(false));
  server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}
