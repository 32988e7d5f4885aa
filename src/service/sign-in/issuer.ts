/**
 * Users of a UAA or another OpenID Connect issuer: its tokens are taken when one of its published keys signed them and they
 * name our audience. Where its keys are is asked when the first token comes, so that a server starts without it.
 */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import { MadeOnce } from '../../words/made-once.ts';
import type { Caller } from '../access/caller.ts';
import type { Queries } from '../state/database.ts';
import { type Authenticator, rememberUser } from './authenticator.ts';

export interface IssuerSettings {
  /** Below it is `/.well-known/openid-configuration`. */
  readonly url: string;
  /** What tokens for us have in `aud`. */
  readonly audience: string;
}

/** GET of a URL, through the proxies and with the authorities that this machine has. */
export type GetText = (url: string) => Promise<{ readonly status: number; readonly text: string }>;

/** Signed with a key that only the issuer has: nothing with a shared secret, and never `none`. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Seconds that clocks may differ. */
const TOLERANCE_S = 5;

const Configuration = z.object({ issuer: z.string(), jwks_uri: z.url() });

const texts = z.union([z.array(z.string()), z.string().transform((text) => text.split(' '))]);
const IssuerClaims = z.object({
  sub: z.string().min(1),
  scope: texts.optional(),
  scp: texts.optional(),
  client_id: z.string().optional(),
  azp: z.string().optional(),
  user_id: z.string().optional(),
  user_name: z.string().optional(),
  preferred_username: z.string().optional(),
  email: z.string().optional(),
  origin: z.string().optional(),
});

interface Known {
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
}

/** @throws StagerError CONFIG_INVALID for an address that tokens can't be trusted from. */
export function issuerAuthenticator(queries: Queries, settings: IssuerSettings, get: GetText): Authenticator {
  const address = checked(settings.url);
  const known = new MadeOnce<Known>();
  const issuer = (): Promise<Known> => known.get(() => discover(address, get));
  return {
    authenticate: async (token) => {
      const caller = await verified(token, settings.audience, issuer);
      if (caller !== undefined) await rememberUser(queries, caller);
      return caller;
    },
  };
}

async function verified(
  token: string,
  audience: string,
  issuerOf: () => Promise<Known>,
): Promise<Caller | undefined> {
  const { issuer, keys } = await issuerOf();
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: TOLERANCE_S,
    });
    const { data } = IssuerClaims.safeParse(payload);
    return data === undefined ? undefined : callerOf(data);
  } catch (error) {
    if (error instanceof errors.JWKSTimeout) throw unreachable('it did not send its keys in time', error);
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** UAA gives a client's own token no `user_id`; others call the user `sub`. */
function callerOf(claims: z.infer<typeof IssuerClaims>): Caller {
  const { sub, scope, scp, user_id, origin } = claims;
  const client = claims.client_id ?? claims.azp;
  const scopes = new Set(scope ?? scp ?? []);
  const user = user_id ?? (sub === client ? undefined : sub);
  if (user === undefined) return { kind: 'client', guid: sub, name: sub, origin: null, scopes };
  const name = claims.user_name ?? claims.preferred_username ?? claims.email ?? null;
  return { kind: 'user', guid: user, name, origin: origin ?? 'uaa', scopes };
}

async function discover(address: string, get: GetText): Promise<Known> {
  const url = `${address}/.well-known/openid-configuration`;
  const reply = await get(url).catch((cause: unknown) => {
    throw unreachable(`${url}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  const { data } = Configuration.safeParse(reply.status === 200 ? parseJson(reply.text) : undefined);
  if (data === undefined) throw unreachable(`${url} answered ${reply.status} without issuer and jwks_uri`);
  checked(data.jwks_uri);
  const keys = createRemoteJWKSet(new URL(data.jwks_uri), {
    [customFetch]: async (place) => {
      const { status, text } = await get(place).catch((cause: unknown) => {
        throw unreachable(`${place}: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
      });
      return new Response(text, { status });
    },
  });
  return { issuer: data.issuer, keys };
}

/** Keys that came in the clear may be anybody's. @returns without the slash at the end. */
function checked(url: string): string {
  const address = URL.parse(url);
  if (address?.protocol === 'https:' || (address !== null && localHttp(address)))
    return url.replace(/\/+$/, '');
  throw new StagerError(
    'CONFIG_INVALID',
    `${url} can't be an issuer: its keys would not be fetched over https`,
    {
      next: 'Give --issuer an https:// address.',
      details: { url },
    },
  );
}

/** Not over https, but nobody can listen on the way. */
export function localHttp({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && /^(?:localhost|127\..*|\[::1\])$/.test(hostname);
}

function unreachable(why: string, cause?: unknown): IssuerUnreachable {
  return new IssuerUnreachable(`The issuer of tokens can't be reached: ${why}`, { cause });
}

/** Nobody can be recognised until it is back. */
export class IssuerUnreachable extends Error {}
