import { once } from 'node:events';
import { createServer } from 'node:http';
import got from 'got';
import { expect, it } from 'vitest';
import { createOutput } from '../../src/doors/cli/terminal/output.ts';
import { createRenderer } from '../../src/doors/cli/terminal/render.ts';
import { type QueueState, watchQueue } from '../../src/remote/watch-queue.ts';

const queue = (position: number, seconds: number | null, reason: string) => ({
  queue: { position, expected_wait_in_seconds: seconds, reason },
});

it('whoever waits for a worker is told the place once, and again when it is another one', async () => {
  // A server that fails for a moment is nothing that a person needs to know.
  const answers = [
    queue(3, 40, '2 builds are before it'),
    undefined,
    queue(3, 35, '2 builds are before it'),
    queue(1, null, 'there is no worker'),
  ];
  const stop = new AbortController();
  const server = createServer((_request, response) => {
    const answer = answers.shift();
    if (answer === undefined) response.writeHead(answers.length === 0 ? 200 : 500).end('{}');
    else response.end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const http = got.extend({ retry: { limit: 0 } });
  const tokens = { current: async () => 'token', renew: async () => undefined };
  const told: QueueState[] = [];
  const url = `http://127.0.0.1:${address.port}/build`;
  const parts = { http, tokens, signal: stop.signal };
  const watching = watchQueue(parts, url, (place) => void told.push(place), 1);
  while (told.length < 2) await once(server, 'request');
  stop.abort();
  await watching;
  server.closeAllConnections();
  server.close();
  expect(told).toEqual([
    { position: 3, expectedWaitMs: 40_000, reason: '2 builds are before it' },
    { position: 1, reason: 'there is no worker' },
  ]);
});

it('the place is a line where there is no terminal', async () => {
  let text = '';
  const write = (piece: string): boolean => {
    text += piece;
    return true;
  };
  const renderer = await createRenderer(
    createOutput({ noColor: true, stdout: { write }, stderr: { write } }),
  );
  const at = new Date(0).toISOString();
  renderer.show({
    type: 'waiting',
    at,
    position: 3,
    expectedWaitMs: 40_000,
    reason: '2 builds are before it',
  });
  renderer.show({ type: 'waiting', at, position: 1, reason: 'there is no worker' });
  expect(text).toBe(
    'waits for a worker: number 3, about 40.0s (2 builds are before it)\n' +
      'waits for a worker: number 1 (there is no worker)\n',
  );
});
