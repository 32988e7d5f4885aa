/**
 * A small OpenID Connect provider: who comes to it is signed in at once and sent back with a code, which is good once,
 * for the client, the address and the code verifier that it was asked with.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface OidcProvider {
  readonly url: string;
  /** What the next sign-ins are to be like. */
  readonly says: {
    user: string;
    /** Instead of a code. */
    refusal: string | undefined;
    /** Of the access token. */
    audience: string;
    /** In the place of what was asked with. */
    nonce: string | undefined;
  };
  /** Parameters of each that came to sign in. */
  readonly asked: Readonly<Record<string, string>>[];
  stop(): Promise<void>;
}

export const CLIENT = { id: 'stager-page', secret: 'page secret' } as const;

export async function startOidcProvider(): Promise<OidcProvider> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const codes = new Map<string, Readonly<Record<string, string>>>();
  const asked: Record<string, string>[] = [];
  const says: OidcProvider['says'] = {
    user: 'ann',
    refusal: undefined,
    audience: 'cloud_controller',
    nonce: undefined,
  };
  const sign = async (claims: JWTPayload, audience: string): Promise<string> =>
    await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'a' })
      .setIssuer(`${url}/issuer`)
      .setSubject(`guid-of-${says.user}`)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime('10m')
      .sign(privateKey);
  /** Sends the browser back. */
  const authorize = (query: URLSearchParams): string => {
    const given = Object.fromEntries(query);
    asked.push(given);
    const back = new URL(given['redirect_uri'] ?? '');
    back.searchParams.set('state', given['state'] ?? '');
    const code = randomUUID();
    codes.set(code, given);
    if (says.refusal === undefined) back.searchParams.set('code', code);
    else back.searchParams.set('error', says.refusal);
    return back.href;
  };
  const exchange = async (request: IncomingMessage): Promise<object> => {
    const form = new URLSearchParams(await text(request));
    const code = form.get('code') ?? '';
    const given = codes.get(code);
    codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood =
      form.get('client_id') === CLIENT.id &&
      form.get('client_secret') === CLIENT.secret &&
      given !== undefined &&
      given['redirect_uri'] === form.get('redirect_uri') &&
      given['code_challenge'] === challenge;
    if (!isGood) return { error: 'invalid_grant' };
    const claims = { user_name: says.user, scope: given['scope'], client_id: CLIENT.id };
    return {
      token_type: 'bearer',
      access_token: await sign(claims, says.audience),
      id_token: await sign({ nonce: says.nonce ?? given['nonce'] }, CLIENT.id),
    };
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', url);
    const json = (body: object, status = 200): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (pathname === '/.well-known/openid-configuration') {
      // As of a UAA, whose tokens name another address than that below which this is.
      json({
        issuer: `${url}/issuer`,
        jwks_uri: `${url}/keys`,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        id_token_signing_alg_values_supported: ['RS256'],
        code_challenge_methods_supported: ['S256'],
      });
    } else if (pathname === '/keys') {
      json({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'RS256', use: 'sig' }] });
    } else if (pathname === '/authorize') {
      response.writeHead(302, { location: authorize(searchParams) }).end();
    } else {
      const answer = await exchange(request);
      json(answer, 'error' in answer ? 400 : 200);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  // Another site than 127.0.0.1, for a browser.
  const url = `http://localhost:${address.port}`;
  return {
    url,
    says,
    asked,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
