/**
 * Users who sign in elsewhere: tokens of a UAA or another OpenID Connect issuer, verified against its published keys.
 *
 * Only tokens that were made for us count: their audience names `cloud_controller` (or what the operator says), as
 * Cloud Controller demands. Scopes are UAA's, as a list or as one text.
 */
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Queries } from '../state/database.ts';
import { type Authenticator, callerOf, rememberUser } from './authenticator.ts';

/** Milliseconds. */
const DISCOVERY_TIMEOUT_MS = 10_000;
/** Those that a public key can be checked with; a shared secret is never one. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

const Scopes = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(' ').filter((scope) => scope !== '')),
]);

const ExternalClaims = z.object({
  sub: z.string().min(1).max(200),
  scope: Scopes.default([]),
  client_id: z.string().optional(),
  azp: z.string().optional(),
  user_id: z.string().min(1).max(200).optional(),
  user_name: z.string().optional(),
  preferred_username: z.string().optional(),
  origin: z.string().optional(),
});

export interface ExternalIssuer {
  /** Whose `/.well-known/openid-configuration` says the rest. */
  readonly url: string;
  readonly audience: string;
}

/** The issuer can't be asked for its keys: nobody's fault who calls, and worth another try. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable';
}

interface Issuer {
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
}

/** Takes the tokens of another issuer. Its keys are fetched when the first token comes, and when an unknown one signs. */
export function externalAuthenticator(queries: Queries, { url, audience }: ExternalIssuer): Authenticator {
  let found: Promise<Issuer> | undefined;
  const issuerOf = async (): Promise<Issuer> => {
    found ??= discover(url);
    try {
      return await found;
    } catch (error) {
      found = undefined;
      throw error;
    }
  };
  return {
    authenticate: async (token) => {
      const claims = await verified(token, await issuerOf(), audience);
      if (claims === undefined) return undefined;
      const caller = callerOf(claims);
      await rememberUser(queries, caller);
      return caller;
    },
  };
}

async function discover(url: string): Promise<Issuer> {
  const address = `${url.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(DISCOVERY_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    const { issuer, jwks_uri } = Discovery.parse(await response.json());
    return { issuer, keys: createRemoteJWKSet(new URL(jwks_uri)) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new IssuerUnavailable(`The issuer of tokens at ${url} can't be asked for its keys: ${why}`, {
      cause,
    });
  }
}

async function verified(token: string, { issuer, keys }: Issuer, audience: string) {
  try {
    const options = {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: 5,
    };
    const { payload } = await jwtVerify(token, keys, options);
    const claims = ExternalClaims.safeParse(payload).data;
    return claims === undefined ? undefined : inOurWords(claims);
  } catch (error) {
    if (error instanceof errors.JWKSTimeout) throw new IssuerUnavailable(error.message, { cause: error });
    if (error instanceof errors.JOSEError) return undefined;
    throw new IssuerUnavailable(`The keys of ${issuer} can't be read`, { cause: error });
  }
}

/** UAA says `user_id` and `user_name`; plain OpenID Connect says `sub` and `preferred_username`. */
function inOurWords(claims: z.output<typeof ExternalClaims>) {
  const { sub, scope, client_id, azp, user_id, user_name, preferred_username, origin } = claims;
  const client = client_id ?? azp ?? sub;
  const name = user_name ?? preferred_username;
  const isUser = user_id !== undefined || name !== undefined;
  return {
    scope,
    client_id: client,
    origin,
    ...(isUser && { user_id: user_id ?? sub }),
    ...(name !== undefined && { user_name: name }),
  };
}
