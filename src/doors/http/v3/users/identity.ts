/** Finds out which user a guid belongs to. */
import { findAccount } from '../../../../service/sign-in/accounts.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { parseGuid } from '../../../../words/ids.ts';

/** What we know of a user whose guid was given: a name when it signs in here. */
export async function identityOf(queries: Queries, guid: string) {
  const parsed = parseGuid(guid);
  const account = parsed === undefined ? undefined : await findAccount(queries, parsed);
  return { guid, username: account?.username ?? null, origin: account?.origin ?? null };
}
