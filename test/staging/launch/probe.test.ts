import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { completeHealthCheck } from '../../../src/staging/launch/health.ts';
import { hostProbe, publishedProbe } from '../../../src/staging/launch/probe.ts';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Listening {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
  close(done: () => void): unknown;
}

async function portOf(
  server: Listening,
  before: () => void = () => undefined,
  host = '0.0.0.0',
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closing.push(async () => {
    before();
    await new Promise<void>((resolve) => server.close(resolve));
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null || !('port' in address)) throw new Error('no port');
  return Number(address.port);
}

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  return await portOf(server, () => server.closeAllConnections());
}

const limits = { timeoutMs: 60_000, signal: new AbortController().signal };

describe('health checks from the host', () => {
  it('fail where only localhost is listened on, and say so: a cell looks from outside', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const port = await portOf(
        createServer((_, response) => response.end('x')),
        undefined,
        host,
      );
      for (const target of [{ type: 'port', port } as const, { type: 'http', port, path: '/' } as const]) {
        const failure = await hostProbe(target, limits);
        expect(failure?.message).toContain(`it listens on ${host === '::1' ? 'IPv6 (::1)' : host} only`);
        expect(failure?.reached).toBe(false);
      }
    }
  });

  it('pass a port on which something listens', async () => {
    const port = await portOf(createTcpServer((socket) => socket.destroy()));
    expect(await hostProbe({ type: 'port', port }, limits)).toBeUndefined();
  });

  it('fail a port on which nothing listens', async () => {
    const server = createTcpServer();
    const port = await portOf(server);
    for (const close of closing.splice(0)) await close();
    expect(await hostProbe({ type: 'port', port }, limits)).toEqual({
      message: `port ${port}: connection refused, nothing listens there`,
      reached: false,
    });
  });

  it('pass status 200 of the path, asked for as Cloud Foundry does', async () => {
    const seen: unknown[] = [];
    const port = await serve((request, response) => {
      seen.push(
        request.method,
        request.url,
        request.headers['user-agent'],
        request.headers['x-forwarded-proto'],
      );
      response.end('x'.repeat(10_000_000));
    });
    expect(await hostProbe({ type: 'http', port, path: '/health?deep=1' }, limits)).toBeUndefined();
    expect(seen).toEqual(['GET', '/health?deep=1', 'stager-healthcheck', 'https']);
  });

  it.each([201, 204, 302, 404, 500, 503])('fail status %d', async (status) => {
    const port = await serve((_request, response) => response.writeHead(status, { location: '/' }).end());
    expect(await hostProbe({ type: 'http', port, path: '/' }, limits)).toEqual({
      message: `GET / on port ${port}: status ${status}, 200 was expected`,
      reached: true,
    });
  });

  it('fail an app that takes the connection and says nothing', async () => {
    const port = await serve(() => undefined);
    expect(await hostProbe({ type: 'http', port, path: '/' }, { ...limits, timeoutMs: 20 })).toEqual({
      message: `GET / on port ${port}: no answer within 20 ms`,
      reached: true,
    });
  });

  it('fail an app that speaks something else', async () => {
    const port = await portOf(createTcpServer((socket) => socket.resume().end('garbage\r\n\r\n')));
    const failure = await hostProbe({ type: 'http', port, path: '/' }, limits);
    expect(failure?.message).toMatch(/Parse Error|Expected HTTP/);
  });

  it('end when the run is over', async () => {
    const port = await serve(() => undefined);
    const aborted = { timeoutMs: 60_000, signal: AbortSignal.abort() };
    expect((await hostProbe({ type: 'http', port, path: '/' }, aborted))?.message).toMatch(/abort/);
  });
});

describe('settings of a health check', () => {
  it('are Cloud Foundry’s by process type', () => {
    expect(completeHealthCheck('web')).toMatchObject({
      type: 'port',
      startTimeoutMs: 60_000,
      invocationTimeoutMs: 1_000,
      intervalMs: 30_000,
      httpEndpoint: '/',
    });
    expect(completeHealthCheck('worker').type).toBe('process');
    expect(completeHealthCheck('worker', { type: 'http', intervalMs: 5 })).toMatchObject({
      type: 'http',
      intervalMs: 5,
    });
  });

  it.each(['', 'health', '/a b', '/a\r\nX: y', `/${'x'.repeat(255)}`])(
    'refuse %j as a path',
    (httpEndpoint) => {
      expect(() => completeHealthCheck('web', { type: 'http', httpEndpoint })).toThrow(/health check path/);
    },
  );

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuse %d as a time', (startTimeoutMs) => {
    expect(() => completeHealthCheck('web', { type: 'port', startTimeoutMs })).toThrow(/startTimeoutMs/);
  });
});

describe('a check at a published port', () => {
  const inside = (addresses: readonly string[]) => publishedProbe({ listeners: async () => addresses });

  it('fails while nobody listens inside, though the published port takes connections', async () => {
    const port = await serve((_, response) => response.end());
    expect(await inside([])({ type: 'port', port }, limits)).toMatchObject({
      message: `port ${port}: connection refused, nothing listens there`,
      reached: false,
    });
  });

  it.each([
    [['127.0.0.1'], 'it listens on 127.0.0.1 only'],
    [['::1'], 'it listens on IPv6 (::1) only'],
    [['::'], 'it listens on IPv6 (::) only'],
  ])('fails for an app that listens at %j, where no cell comes from', async (addresses, expected) => {
    const port = await serve((_, response) => response.end());
    expect(await inside(addresses)({ type: 'port', port }, limits)).toMatchObject({
      message: expect.stringContaining(expected),
    });
  });

  it('passes when the app listens, and asks it through the published port', async () => {
    const port = await serve((request, response) => {
      response.statusCode = request.url === '/good' ? 200 : 500;
      response.end();
    });
    const probe = inside(['::', '0.0.0.0']);
    expect(await probe({ type: 'port', port }, limits)).toBeUndefined();
    expect(await probe({ type: 'http', port, path: '/good' }, limits)).toBeUndefined();
    expect(await probe({ type: 'http', port, path: '/' }, limits)).toMatchObject({ reached: true });
  });
});
