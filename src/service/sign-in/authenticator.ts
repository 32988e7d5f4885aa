/** Bearer token → caller. The embedded sign-in and an external issuer give the same answer. */
import type { Caller } from '../access/caller.ts';
import type { Queries } from '../state/database.ts';
import type { SigningKeys } from './keys.ts';
import { type Claims, verifyToken } from './tokens.ts';

export interface Authenticator {
  /** @returns undefined for a token that is forged, over, revoked or of nobody. */
  authenticate(token: string): Promise<Caller | undefined>;
}

/** Takes the tokens that we signed ourselves. */
export function embeddedAuthenticator(queries: Queries, keys: SigningKeys): Authenticator {
  return {
    authenticate: async (token) => {
      const claims = await verifyToken({ queries, keys }, token);
      if (claims === undefined) return undefined;
      const caller = callerOf(claims);
      await rememberUser(queries, caller);
      return caller;
    },
  };
}

/** A token of a user names it; any other is one of a client. */
export function callerOf(
  claims: Pick<Claims, 'scope' | 'client_id' | 'user_id' | 'user_name' | 'origin'>,
): Caller {
  const scopes = new Set(claims.scope);
  const { user_id, user_name = null, origin = 'uaa' } = claims;
  if (user_id !== undefined) return { kind: 'user', guid: user_id, name: user_name, origin, scopes };
  return { kind: 'client', guid: claims.client_id, name: claims.client_id, origin: null, scopes };
}

/** Whoever comes with a token is a user of the API from then on, as with Cloud Controller. */
export async function rememberUser(queries: Queries, caller: Caller): Promise<void> {
  const { guid, kind, origin } = caller;
  const username = kind === 'user' ? caller.name : null;
  const known = await queries
    .selectFrom('users')
    .select(['username', 'origin'])
    .where('guid', '=', guid)
    .executeTakeFirst();
  if (known !== undefined && known.username === username && known.origin === origin) return;
  await queries
    .insertInto('users')
    .values({ guid, username, origin })
    .onConflict((conflict) => conflict.column('guid').doUpdateSet({ username, origin }))
    .execute();
}
