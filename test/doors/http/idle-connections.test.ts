import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { watchIdleConnections } from '../../../src/doors/http/idle-connections.ts';

it('a connection on which nothing was asked does not hold a server that closes', async () => {
  const server = createServer({ headersTimeout: 0, requestTimeout: 0 });
  const endIdle = watchIdleConnections(server);
  const port = await listening(server);
  const client = connect(port, '127.0.0.1');
  const [ended] = [once(client, 'close'), await once(server, 'connection')];
  const closed = once(server, 'close');
  server.close();
  endIdle();
  await Promise.all([closed, ended]);
});

it('what is being answered is answered to its end', async () => {
  const answer = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    response.write('first ');
    void answer.promise.then(() => response.end('last'));
  });
  const endIdle = watchIdleConnections(server);
  const port = await listening(server);
  const reply = await fetch(`http://127.0.0.1:${port}/`);
  const closed = once(server, 'close');
  server.close();
  endIdle();
  answer.resolve();
  expect(await reply.text()).toBe('first last');
  await closed;
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
