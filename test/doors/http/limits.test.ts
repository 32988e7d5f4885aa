import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { checkExposure } from '../../../src/doors/http/serve.ts';
import { createServer, type ServerOptions } from '../../../src/doors/http/server.ts';
import { type Api, describeApi } from './support/api.ts';

/** The same service behind a server of its own. */
async function another({ service }: Api, rateLimit: number, options: Partial<ServerOptions> = {}) {
  const settings = { ...service.settings, rateLimit };
  return await createServer({ ...service, settings }, { routes: ROUTES, ...options });
}

/** Sends these bytes and no more. @returns what the server says until it hangs up. */
async function sendAndWait(port: number, bytes: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  socket.on('data', (data) => {
    said += data.toString();
  });
  socket.on('end', () => resolve(said)).on('error', reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

describeApi('limits', (api) => {
  it('count the requests of a user, and refuse one too many in the words of Cloud Controller', async () => {
    const server = await another(api(), 2);
    const ask = async (actor: 'admin' | 'space_developer' | 'space_auditor') =>
      await server.inject({
        url: '/v3/organizations',
        headers: { authorization: `bearer ${api().world.users[actor].token}` },
      });
    const first = await ask('space_developer');
    expect(
      [first.statusCode, first.headers['x-ratelimit-limit'], first.headers['x-ratelimit-remaining']].map(
        Number,
      ),
    ).toEqual([200, 2, 1]);
    await ask('space_developer');
    const refused = await ask('space_developer');
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toEqual({
      errors: [{ code: 10013, title: 'CF-RateLimitExceeded', detail: 'Rate Limit Exceeded' }],
    });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused.headers['x-ratelimit-reset'])).toBeGreaterThan(1_700_000_000);
    expect((await ask('space_auditor')).statusCode).toBe(200);
    const admin = await ask('admin');
    expect([admin.statusCode, admin.headers['x-ratelimit-limit']]).toEqual([200, undefined]);
    await server.close();
  });

  it('count by address who brings no token that is good, guesses included', async () => {
    const server = await another(api(), 2);
    const guess = async () =>
      await server.inject({ url: '/v3/organizations', headers: { authorization: 'bearer a.b.c' } });
    expect([(await guess()).statusCode, (await guess()).statusCode]).toEqual([401, 401]);
    const refused = await guess();
    expect([refused.statusCode, refused.json()]).toEqual([
      429,
      { errors: [expect.objectContaining({ code: 10014, title: 'CF-IPBasedRateLimitExceeded' })] },
    ]);
    await server.close();
  });

  it('have an answer for who is too slow with the head of a request, and with its body', async () => {
    const patience = { headersMs: 100, requestMs: 200, idleMs: 60_000, lookMs: 20 };
    const server = await another(api(), 0, { patience });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const address = server.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const head = 'POST /uaa/oauth/token HTTP/1.1\r\nhost: a\r\n';
    const body = `${head}content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ngrant`;
    for (const bytes of [head, body]) {
      const said = await sendAndWait(port, bytes);
      expect(said).toMatch(/^HTTP\/1\.1 408 /);
      expect(said).toContain('"detail":"The request took too long to arrive"');
    }
    await server.close();
  });
});

it('is for loopback without a certificate, unless somebody says otherwise', () => {
  const tls = { certFile: '/a', keyFile: '/b' };
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
    expect(() => checkExposure({ host, insecureHttp: false })).not.toThrow();
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com']) {
    expect(() => checkExposure({ host, insecureHttp: false })).toThrow('passwords would be sent unencrypted');
    expect(() => checkExposure({ host, insecureHttp: true })).not.toThrow();
    expect(() => checkExposure({ host, insecureHttp: false, tls })).not.toThrow();
  }
});
