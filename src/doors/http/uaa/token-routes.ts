/** `/uaa/oauth/token`: the grants that clients of Cloud Foundry use, and revocation. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { tryPassword } from '../../../service/sign-in/accounts.ts';
import { type Client, checkClient } from '../../../service/sign-in/clients.ts';
import {
  refreshSession,
  revoke,
  startSession,
  type TokenParts,
  verifyToken,
} from '../../../service/sign-in/tokens.ts';
import { route } from '../route/define-route.ts';
import type { HttpService } from '../route/service.ts';
import { insufficientScope, UaaError, unauthorized } from '../route/uaa-error.ts';
import { embedded } from './embedded.ts';

const text = z.string().max(4096);

/** Fields that a grant does not need are ignored, as OAuth wants it. */
const Grant = z.object({
  grant_type: text.optional(),
  username: text.optional(),
  password: text.optional(),
  passcode: text.optional(),
  refresh_token: text.optional(),
  client_id: text.optional(),
  client_secret: text.optional(),
  login_hint: text.optional(),
});
type Grant = z.infer<typeof Grant>;

const Token = z.object({
  access_token: z.string(),
  token_type: z.literal('bearer'),
  refresh_token: z.string().optional(),
  expires_in: z.int(),
  scope: z.string(),
  jti: z.string(),
});

const token = route({
  method: 'POST',
  path: '/uaa/oauth/token',
  summary: 'Get a token',
  access: 'anyone',
  query: z.object({ login_hint: text.optional() }),
  body: Grant,
  bodyKind: 'form',
  answers: { 200: Token },
  handle: async ({ body, query, service, base, request }) => {
    const { keys } = embedded(service);
    const parts = { queries: service.database.queries, keys, issuer: `${base}/uaa/oauth/token` };
    const client = await clientOf(request.headers.authorization, body, service);
    if (body.grant_type !== undefined && !client.grants.includes(body.grant_type))
      throw unknownGrant(body.grant_type);
    const hint = body.login_hint ?? query.login_hint;
    const answer = await grant(parts, { ...body, login_hint: hint }, client);
    // As UAA's answers have one. Nothing here reads it: browsers do not sign in.
    const cookie = `X-Uaa-Csrf=${randomUUID()}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax`;
    return { status: 200, headers: { 'set-cookie': cookie }, body: answer };
  },
});

async function grant(parts: TokenParts, body: Grant, client: Client) {
  switch (body.grant_type) {
    case 'password':
      return await passwordGrant(parts, body, client);
    case 'refresh_token':
      return await refreshGrant(parts, body, client);
    case 'client_credentials':
      return await startSession(parts, { clientId: client.id, scopes: client.scopes });
    case undefined:
      throw new UaaError(400, 'invalid_request', 'Missing grant type');
    default:
      throw unknownGrant(body.grant_type);
  }
}

async function passwordGrant(parts: TokenParts, body: Grant, client: Client) {
  const { username, password, passcode } = body;
  if (passcode !== undefined) throw unauthorized('Invalid passcode');
  if (username === undefined || password === undefined) throw unauthorized('Bad credentials');
  const origin = originIn(body.login_hint);
  const outcome = await tryPassword(parts.queries, { username, password, origin });
  switch (outcome.kind) {
    case 'ok':
      return await startSession(parts, { account: outcome.account, clientId: client.id });
    case 'locked':
      // The very sentence: the CLI stops asking when it reads it.
      throw unauthorized('Your account has been locked because of too many failed attempts to login.');
    case 'wrong':
      throw unauthorized('Bad credentials');
  }
}

async function refreshGrant(parts: TokenParts, { refresh_token }: Grant, client: Client) {
  const given = { refreshToken: refresh_token ?? '', clientId: client.id };
  const answer = await refreshSession(parts, given);
  if (answer === undefined) {
    throw new UaaError(401, 'invalid_token', 'The token expired, was revoked, or the token ID is incorrect.');
  }
  return answer;
}

/** By Basic authentication, or in the form; a client without secret names only its id. */
async function clientOf(header: string | undefined, body: Grant, { database }: HttpService): Promise<Client> {
  const basic = /^basic +(\S+)$/i.exec(header ?? '')?.[1];
  const [id = '', secret = ''] =
    basic === undefined
      ? [body.client_id, body.client_secret]
      : split(Buffer.from(basic, 'base64').toString());
  const client = id === '' ? undefined : await checkClient(database.queries, { id, secret });
  if (client === undefined) throw new UaaError(401, 'invalid_client', 'Bad credentials');
  return client;
}

function split(pair: string): readonly [string, string] {
  const at = pair.indexOf(':');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

const Hint = z.object({ origin: z.string() });

/** `{"origin":"uaa"}`. @throws UaaError for one that there is not. */
function originIn(hint: string | undefined): string | undefined {
  if (hint === undefined) return undefined;
  const parsed = Hint.safeParse(parse(hint));
  if (!parsed.success || parsed.data.origin !== 'uaa') throw unauthorized('The origin provided is invalid.');
  return parsed.data.origin;
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function unknownGrant(type: string): UaaError {
  return new UaaError(401, 'invalid_client', `Unauthorized grant type: ${type.slice(0, 100)}`);
}

const revokeToken = route({
  method: 'DELETE',
  path: '/uaa/oauth/token/revoke/:jti',
  summary: 'End a session by one of its tokens',
  access: 'signed-in',
  params: z.object({ jti: text }),
  answers: { 200: null },
  handle: async ({ params, caller, service, request }) => {
    const { keys } = embedded(service);
    const { queries } = service.database;
    const own = await verifyToken({ queries, keys }, request.headers.authorization?.split(' ').at(-1) ?? '');
    if (own?.jti === params.jti) await revoke(queries, own);
    else if (caller.scopes.has('uaa.admin')) await revoke(queries, { jti: params.jti });
    else throw insufficientScope();
    return { status: 200 };
  },
});

export const tokenRoutes = [token, revokeToken];
