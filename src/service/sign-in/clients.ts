/** OAuth clients: programs that ask for tokens, for their user or for themselves. */
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import { hashPassword, isPassword } from './passwords.ts';

export interface Client {
  readonly id: string;
  readonly grants: readonly string[];
  readonly scopes: readonly string[];
}

export interface NewClient extends Client {
  readonly secret: string;
}

/** @returns false when there is one of that id. */
export async function addClient(
  queries: Queries,
  { id, secret, grants, scopes }: NewClient,
): Promise<boolean> {
  const secret_hash = secret === '' ? null : await hashPassword(secret);
  const { numInsertedOrUpdatedRows = 0n } = await queries
    .insertInto('clients')
    .values({ id, secret_hash, grants: json(grants), scopes: json(scopes) })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows > 0n;
}

/** None of its tokens is taken any more. @returns undefined when there is none of that id. */
export async function deleteClient(queries: Queries, id: string): Promise<Client | undefined> {
  return await queries
    .deleteFrom('clients')
    .where('id', '=', id)
    .returning(['id', 'grants', 'scopes'])
    .executeTakeFirst();
}

export async function findClient(queries: Queries, id: string): Promise<Client | undefined> {
  return await queries
    .selectFrom('clients')
    .select(['id', 'grants', 'scopes'])
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The client, when the secret is its own. */
export async function checkClient(
  queries: Queries,
  given: { readonly id: string; readonly secret: string },
): Promise<Client | undefined> {
  const row = await queries.selectFrom('clients').selectAll().where('id', '=', given.id).executeTakeFirst();
  if (row?.secret_hash === null && given.secret === '') return row;
  return (await isPassword(given.secret, row?.secret_hash)) ? row : undefined;
}
