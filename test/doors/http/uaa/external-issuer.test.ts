import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../../../src/doors/http/all-routes.ts';
import { createService } from '../../../../src/doors/http/create-service.ts';
import { createServer as createApi } from '../../../../src/doors/http/server.ts';
import { type Database, openDatabase } from '../../../../src/service/state/database.ts';
import { embeddedTemplate } from '../support/template.ts';

type Server = Awaited<ReturnType<typeof createApi>>;

/** An issuer as a UAA or Keycloak looks from here: a discovery document and keys. */
async function startIssuer(): Promise<{ url: string; key: CryptoKey; up: boolean; stop: () => void }> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'theirs', alg: 'RS256', use: 'sig' };
  const issuer = { url: '', key: privateKey, up: true, stop: () => undefined };
  const server = createServer((request, response) => {
    if (!issuer.up) response.writeHead(503).end();
    else if (request.url === '/keys') response.end(JSON.stringify({ keys: [jwk] }));
    else
      response.end(JSON.stringify({ issuer: `${issuer.url}/oauth/token`, jwks_uri: `${issuer.url}/keys` }));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address() satisfies string | AddressInfo | null;
  issuer.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  issuer.stop = () => {
    server.closeAllConnections();
    server.close();
    return undefined;
  };
  return issuer;
}

describe('an external issuer', () => {
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  let database: Database;
  let api: Server;

  beforeAll(async () => {
    issuer = await startIssuer();
    database = await openDatabase({ memory: true, template: await embeddedTemplate() });
    const settings = { name: 'test', version: '0.0.0' };
    const service = await createService({
      database,
      settings,
      issuer: { url: issuer.url, audience: 'cloud_controller' },
    });
    api = await createApi(service, { routes: ROUTES });
  });

  afterAll(async () => {
    await api.close();
    await database.close();
    issuer.stop();
  });

  const token = async (claims: object, over: { audience?: string; issuer?: string; key?: CryptoKey } = {}) =>
    await new SignJWT({ user_id: 'u-1', user_name: 'ann', origin: 'ldap', ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'theirs' })
      .setSubject('u-1')
      .setIssuer(over.issuer ?? `${issuer.url}/oauth/token`)
      .setAudience(over.audience ?? 'cloud_controller')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(over.key ?? issuer.key);

  const ask = async (bearer: string, url = '/v3/organizations') =>
    await api.inject({ url, headers: { authorization: `bearer ${bearer}`, host: 'api.test' } });

  it('that is down is no reason to call a token wrong', async () => {
    issuer.up = false;
    const reply = await ask(await token({ scope: ['cloud_controller.read'] }));
    issuer.up = true;
    expect(reply.statusCode).toBe(503);
    expect(reply.json()).toMatchObject({ errors: [{ code: 10015, title: 'CF-ServiceUnavailable' }] });
  });

  it('is where clients are sent to sign in', async () => {
    const root = await api.inject({ url: '/', headers: { host: 'api.test' } });
    expect(root.json()).toMatchObject({ links: { login: { href: issuer.url }, uaa: { href: issuer.url } } });
    const ours = await api.inject({
      method: 'POST',
      url: '/uaa/oauth/token',
      payload: 'grant_type=password&username=admin&password=x',
      headers: { 'content-type': 'application/x-www-form-urlencoded', host: 'api.test' },
    });
    expect(ours.statusCode).toBe(404);
  });

  it('says who its users are and what they may', async () => {
    expect((await ask(await token({ scope: ['cloud_controller.read'] }))).statusCode).toBe(200);
    expect((await ask(await token({ scope: 'openid cloud_controller.read' }))).statusCode).toBe(200);
    expect((await ask(await token({ scope: ['openid'] }))).statusCode).toBe(403);
    const users = await ask(await token({ scope: ['cloud_controller.admin'] }), '/v3/users');
    expect(users.json()).toMatchObject({ resources: [{ guid: 'u-1', username: 'ann', origin: 'ldap' }] });
  });

  it('does not open the door with tokens for others, from others, or of another key', async () => {
    const scope = ['cloud_controller.admin'];
    const { privateKey } = await generateKeyPair('RS256');
    const wrong = [
      await token({ scope }, { audience: 'something-else' }),
      await token({ scope }, { issuer: 'https://elsewhere.test' }),
      await token({ scope }, { key: privateKey }),
    ];
    for (const bearer of wrong) expect((await ask(bearer)).statusCode).toBe(401);
  });
});
