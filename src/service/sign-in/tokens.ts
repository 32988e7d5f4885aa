/** Access tokens (JWT) and refresh tokens (random text, of which the database has a digest) of the embedded sign-in. */
import { randomBytes, randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { sql } from 'kysely';
import { z } from 'zod';
import { sha256OfBytes } from '../../words/digest.ts';
import type { Queries } from '../state/database.ts';
import type { Account } from './accounts.ts';
import { ALGORITHM, type SigningKeys } from './keys.ts';

/** Seconds. UAA's for the cf client; those of client credentials can't be refreshed, so they live longer. */
const USER_TOKEN_SECONDS = 600;
const CLIENT_TOKEN_SECONDS = 43_200;
const REFRESH_DAYS = 30;

/** What every account may. */
const USER_SCOPES = [
  'openid',
  'cloud_controller.read',
  'cloud_controller.write',
  'password.write',
  'uaa.user',
];

export const Claims = z.object({
  jti: z.string(),
  sid: z.string().optional(),
  sub: z.string(),
  scope: z.array(z.string()),
  client_id: z.string(),
  user_id: z.string().optional(),
  user_name: z.string().optional(),
  origin: z.string().optional(),
  iat: z.int(),
  exp: z.int(),
});
export type Claims = z.infer<typeof Claims>;

/** Who gets a token. */
export type Subject =
  | { readonly account: Account; readonly clientId: string }
  | { readonly clientId: string; readonly scopes: readonly string[] };

/** The answer of `/oauth/token`, in UAA's words. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  readonly scope: string;
  readonly jti: string;
  readonly refresh_token?: string;
}

export interface TokenParts {
  readonly queries: Queries;
  readonly keys: SigningKeys;
  /** `https://host/uaa/oauth/token`. */
  readonly issuer: string;
}

/** A new session: access token, and for a user a refresh token. */
export async function startSession(parts: TokenParts, subject: Subject): Promise<TokenAnswer> {
  const sid = randomUUID();
  const answer = await accessToken(parts, subject, sid);
  if (!('account' in subject)) return answer;
  const refresh_token = `${randomBytes(32).toString('base64url')}-r`;
  await parts.queries
    .insertInto('refresh_tokens')
    .values({
      hash: digest(refresh_token),
      jti: sid,
      account_guid: subject.account.guid,
      client_id: subject.clientId,
      expires_at: sql<Date>`now() + make_interval(days => ${REFRESH_DAYS})`,
    })
    .execute();
  return { ...answer, refresh_token };
}

/** A new access token of a session. @returns undefined when the refresh token is unknown, over or revoked. */
export async function refreshSession(
  parts: TokenParts,
  given: { readonly refreshToken: string; readonly clientId: string },
): Promise<TokenAnswer | undefined> {
  const row = await parts.queries
    .selectFrom('refresh_tokens')
    .innerJoin('accounts', 'accounts.guid', 'refresh_tokens.account_guid')
    .selectAll('accounts')
    .select('refresh_tokens.jti as sid')
    .where('refresh_tokens.hash', '=', digest(given.refreshToken))
    .where('refresh_tokens.client_id', '=', given.clientId)
    .where('refresh_tokens.expires_at', '>', sql<Date>`now()`)
    .where('accounts.active', '=', true)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { sid, ...account } = row;
  const answer = await accessToken(parts, { account, clientId: given.clientId }, sid);
  return { ...answer, refresh_token: given.refreshToken };
}

/** What an account may do. */
export function scopesOf({ scopes }: Pick<Account, 'scopes'>): string[] {
  return [...USER_SCOPES, ...scopes];
}

async function accessToken(parts: TokenParts, subject: Subject, sid: string): Promise<TokenAnswer> {
  const { kid, sign } = await parts.keys.current();
  const jti = randomUUID();
  const user = 'account' in subject ? subject.account : undefined;
  const scope = 'account' in subject ? scopesOf(subject.account) : [...subject.scopes];
  const life = user === undefined ? CLIENT_TOKEN_SECONDS : USER_TOKEN_SECONDS;
  const now = Math.floor(Date.now() / 1000);
  const access_token = await new SignJWT({
    sid,
    scope,
    client_id: subject.clientId,
    cid: subject.clientId,
    azp: subject.clientId,
    grant_type: user === undefined ? 'client_credentials' : 'password',
    revocable: true,
    zid: 'uaa',
    ...(user !== undefined && {
      user_id: user.guid,
      user_name: user.username,
      email: user.email ?? user.username,
      origin: user.origin,
    }),
  })
    .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'JWT' })
    .setJti(jti)
    .setSubject(user?.guid ?? subject.clientId)
    .setIssuer(parts.issuer)
    .setAudience(['cloud_controller', 'uaa', 'openid', subject.clientId])
    .setIssuedAt(now)
    .setExpirationTime(now + life)
    .sign(sign);
  return { access_token, token_type: 'bearer', expires_in: life, scope: scope.join(' '), jti };
}

/** The claims of a token that we signed, that is not over and not revoked; undefined for any other. */
export async function verifyToken(
  { queries, keys }: Pick<TokenParts, 'queries' | 'keys'>,
  token: string,
): Promise<Claims | undefined> {
  const claims = await signedClaims(keys, token);
  if (claims === undefined) return undefined;
  const { rows } = await sql<{ revoked: boolean; gone: boolean }>`
    select exists (select 1 from revoked_tokens where jti in (${claims.jti}, ${claims.sid ?? claims.jti})) as revoked,
      not exists (select 1 from clients where id = ${claims.client_id})
        or ${claims.user_id ?? null}::text is not null and not exists (
        select 1 from accounts where guid = ${claims.user_id ?? null} and active
        and date_trunc('second', tokens_valid_after) <= to_timestamp(${claims.iat})) as gone`.execute(
    queries,
  );
  const [state] = rows;
  return state?.revoked === false && state.gone === false ? claims : undefined;
}

async function signedClaims(keys: SigningKeys, token: string): Promise<Claims | undefined> {
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid = '' }) => {
        const key = await keys.find(kid);
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key.verify;
      },
      { algorithms: [ALGORITHM], requiredClaims: ['exp', 'iat', 'jti', 'sub'], clockTolerance: 5 },
    );
    return Claims.safeParse(payload).data;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** Ends a session: neither its access tokens nor its refresh token are taken from now on. */
export async function revoke(queries: Queries, claims: Pick<Claims, 'jti' | 'sid'>): Promise<void> {
  const expires_at = sql<Date>`now() + make_interval(secs => ${CLIENT_TOKEN_SECONDS})`;
  const ids = [claims.jti, ...(claims.sid === undefined ? [] : [claims.sid])];
  await queries
    .insertInto('revoked_tokens')
    .values(ids.map((jti) => ({ jti, expires_at })))
    .onConflict((conflict) => conflict.column('jti').doNothing())
    .execute();
  await queries.deleteFrom('refresh_tokens').where('jti', 'in', ids).execute();
}

/** Forgets what time has ended. Call it daily. */
export async function forgetExpiredTokens(queries: Queries): Promise<number> {
  let forgotten = 0n;
  for (const table of ['revoked_tokens', 'refresh_tokens', 'page_sessions'] as const) {
    const { numDeletedRows } = await queries
      .deleteFrom(table)
      .where('expires_at', '<', sql<Date>`now()`)
      .executeTakeFirstOrThrow();
    forgotten += numDeletedRows;
  }
  return Number(forgotten);
}

function digest(token: string): string {
  return sha256OfBytes(token);
}
