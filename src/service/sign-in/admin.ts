/** The first account: without it nobody could sign in to make others. */
import { randomBytes } from 'node:crypto';
import type { Queries } from '../state/database.ts';
import { createAccount, findAccountByName, setPassword } from './accounts.ts';
import { isPassword } from './passwords.ts';

/** What an admin may. */
export const ADMIN_SCOPES: readonly string[] = [
  'cloud_controller.admin',
  'scim.read',
  'scim.write',
  'clients.read',
  'uaa.admin',
];

/**
 * Makes `admin` when there is none.
 *
 * @param password its password from now on; without one a new account gets a password of its own.
 * @returns a password that was made up: to be shown, since nothing else knows it.
 */
export async function ensureAdmin(
  queries: Queries,
  password: string | undefined,
): Promise<string | undefined> {
  const admin = await findAccountByName(queries, 'admin', 'uaa');
  if (admin !== undefined) {
    const changed = password !== undefined && !(await isPassword(password, admin.password_hash));
    if (changed) await setPassword(queries, admin.guid, password);
    return undefined;
  }
  const made = password ?? randomBytes(18).toString('base64url');
  // Another server of the same database may have been quicker.
  const account = await createAccount(queries, { username: 'admin', password: made, scopes: ADMIN_SCOPES });
  return account === undefined || password !== undefined ? undefined : made;
}
