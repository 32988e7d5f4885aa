import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROUTES } from '../../../../src/doors/http/all-routes.ts';
import { createService } from '../../../../src/doors/http/create-service.ts';
import { createServer as createHttpServer } from '../../../../src/doors/http/server.ts';
import {
  type GetText,
  IssuerUnreachable,
  issuerAuthenticator,
} from '../../../../src/service/sign-in/issuer.ts';
import type { Database } from '../../../../src/service/state/database.ts';
import { describeDatabase } from '../../../service/support/database.ts';
import { browserOf } from '../page/browser.ts';
import { fakeMeans } from '../support/staging.ts';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

/** What it publishes; a test may change it. */
const published: { kid: string; pair: Pair | undefined; down: boolean } = {
  kid: 'a',
  pair: undefined,
  down: false,
};
let server: Server;
let url = '';
let asked = 0;

beforeAll(async () => {
  published.pair = await generateKeyPair('RS256');
  server = createServer(async (request, response) => {
    asked += 1;
    if (published.down) response.writeHead(503).end();
    else if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: `${url}/oauth/token`, jwks_uri: `${url}/token_keys` }));
    } else {
      const key = published.pair === undefined ? {} : await exportJWK(published.pair.publicKey);
      response.end(JSON.stringify({ keys: [{ ...key, kid: published.kid, alg: 'RS256', use: 'sig' }] }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const get: GetText = async (place) => {
  const reply = await fetch(place);
  return { status: reply.status, text: await reply.text() };
};

const trusting = (database: Database) =>
  issuerAuthenticator(database.queries, { url, audience: 'cloud_controller' }, get);

interface Signing {
  readonly pair?: Pair;
  readonly kid?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly life?: string;
}

async function token(claims: JWTPayload, signing: Signing = {}): Promise<string> {
  const { pair = published.pair, kid = published.kid, issuer = `${url}/oauth/token` } = signing;
  if (pair === undefined) throw new Error('no key');
  return await new SignJWT({ sub: 'u-1', scope: ['cloud_controller.read'], ...claims })
    .setProtectedHeader({ alg: 'RS256', kid })
    .setIssuer(issuer)
    .setAudience(signing.audience ?? 'cloud_controller')
    .setExpirationTime(signing.life ?? '10m')
    .sign(pair.privateKey);
}

describeDatabase('tokens of an external issuer', (database) => {
  it('of a UAA say who asks, and make the user known', async () => {
    const claims = { user_id: 'u-1', user_name: 'ann', origin: 'ldap', client_id: 'cf' };
    const caller = await trusting(database()).authenticate(await token(claims));
    expect(caller).toMatchObject({ kind: 'user', guid: 'u-1', name: 'ann', origin: 'ldap' });
    expect([...(caller?.scopes ?? [])]).toEqual(['cloud_controller.read']);
    const { rows } = await database().run(`select username, origin from users where guid = 'u-1'`);
    expect(rows).toEqual([{ username: 'ann', origin: 'ldap' }]);
  });

  it('of another OpenID Connect issuer have their scopes in one text', async () => {
    const claims = {
      sub: 'u-2',
      scope: 'openid cloud_controller.write',
      azp: 'web',
      preferred_username: 'bob',
    };
    const caller = await trusting(database()).authenticate(await token(claims));
    expect(caller).toMatchObject({ kind: 'user', guid: 'u-2', name: 'bob' });
    expect(caller?.scopes.has('cloud_controller.write')).toBe(true);
  });

  it('of a program are those of a client', async () => {
    const caller = await trusting(database()).authenticate(await token({ sub: 'ci', client_id: 'ci' }));
    expect(caller).toMatchObject({ kind: 'client', guid: 'ci' });
  });

  it('are refused when they are for somebody else, of somebody else, over, or signed with another key', async () => {
    const other = await generateKeyPair('RS256');
    const refused = [
      await token({}, { audience: 'somebody' }),
      await token({}, { issuer: 'https://somebody.example' }),
      await token({}, { life: '-1m' }),
      await token({}, { pair: other }),
      'a.b.c',
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"u-1"}').toString('base64url')}.`,
    ];
    const authenticator = trusting(database());
    for (const text of refused) expect(await authenticator.authenticate(text)).toBeUndefined();
  });

  it('wait for an issuer that is away, and are taken once it is back', async () => {
    const authenticator = trusting(database());
    published.down = true;
    const text = await token({ user_id: 'u-3' });
    await expect(authenticator.authenticate(text)).rejects.toBeInstanceOf(IssuerUnreachable);
    published.down = false;
    expect(await authenticator.authenticate(text)).toMatchObject({ guid: 'u-3' });
  });

  it('cost no question while the keys are known', async () => {
    const authenticator = trusting(database());
    const text = await token({ user_id: 'u-4' });
    await authenticator.authenticate(text);
    const before = asked;
    await authenticator.authenticate(text);
    expect(asked).toBe(before);
  });

  it('come from an address that nobody can listen to', () => {
    const settings = { url: 'http://uaa.example', audience: 'cloud_controller' };
    expect(() => issuerAuthenticator(database().queries, settings, get)).toThrow(/https/);
  });

  it('sign a browser in: the page asks for one, and takes none that is not for this server', async () => {
    const means = await fakeMeans();
    const issuer = { url, audience: 'cloud_controller', get };
    const settings = { name: 'test', version: '0.0.0' };
    const service = await createService({ database: database(), settings, staging: means, issuer });
    const page = await createHttpServer(service, { routes: ROUTES });
    const browser = browserOf(await page.listen({ host: '127.0.0.1', port: 0 }));
    try {
      expect((await browser.open('/sign-in')).text).toContain(`sign in at ${url}`);
      const refused = await browser.send('/sign-in', { token: await token({}, { audience: 'else' }) });
      expect([refused.status, refused.text]).toEqual([
        403,
        expect.stringContaining('The token is not valid'),
      ]);
      expect((await browser.open('/apps')).status).toBe(303);
      const claims = { user_id: 'u-9', user_name: 'zoe', origin: 'ldap', client_id: 'cf' };
      const scope = ['cloud_controller.read', 'cloud_controller.write'];
      const given = `bearer ${await token({ ...claims, scope })}`;
      expect((await browser.send('/sign-in', { token: given, next: '/apps' })).status).toBe(303);
      const apps = await browser.open('/apps');
      expect([apps.status, apps.text]).toEqual([200, expect.stringContaining('zoe')]);
    } finally {
      await page.close();
      await service.deliveries.close();
      await service.staging.close();
      await service.jobs.close();
      await means.remove();
    }
  });
});
