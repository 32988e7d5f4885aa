/**
 * Two organizations with a space each, and one user for every role: those of the first have it in `acme` or its space
 * `dev`; `outsider` has a role in the other organization only. `nobody` sends no token.
 */
import { createAccount } from '../../../../src/service/sign-in/accounts.ts';
import type { SigningKeys } from '../../../../src/service/sign-in/keys.ts';
import { startSession } from '../../../../src/service/sign-in/tokens.ts';
import type { Queries } from '../../../../src/service/state/database.ts';
import {
  ORGANIZATION_ROLES,
  type RoleType,
  SPACE_ROLES,
} from '../../../../src/service/state/schema-tenancy.ts';
import { type Guid, newGuid } from '../../../../src/words/ids.ts';

export const ADMINS = ['admin', 'admin_read_only', 'global_auditor'] as const;
export const SIGNED_IN = [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES, 'outsider'] as const;
export type SignedIn = (typeof SIGNED_IN)[number];
export type Actor = SignedIn | 'nobody';

export interface World {
  readonly organization: Guid;
  readonly space: Guid;
  readonly otherOrganization: Guid;
  readonly otherSpace: Guid;
  readonly users: Readonly<Record<SignedIn, { readonly guid: Guid; readonly token: string }>>;
}

const SCOPES: Partial<Record<SignedIn, readonly string[]>> = {
  admin: ['cloud_controller.admin', 'scim.read', 'scim.write', 'uaa.admin'],
  admin_read_only: ['cloud_controller.admin_read_only'],
  global_auditor: ['cloud_controller.global_auditor'],
};

export async function createWorld(queries: Queries, keys: SigningKeys): Promise<World> {
  const [organization, space, otherOrganization, otherSpace] = [newGuid(), newGuid(), newGuid(), newGuid()];
  await queries
    .insertInto('organizations')
    .values([
      { guid: organization, name: 'acme' },
      { guid: otherOrganization, name: 'other' },
    ])
    .execute();
  await queries
    .insertInto('spaces')
    .values([
      { guid: space, name: 'dev', organization_guid: organization },
      { guid: otherSpace, name: 'elsewhere', organization_guid: otherOrganization },
    ])
    .execute();
  const users: Partial<Record<SignedIn, { guid: Guid; token: string }>> = {};
  for (const actor of SIGNED_IN) users[actor] = await createUser(queries, keys, actor);
  for (const type of ORGANIZATION_ROLES) await grant(queries, type, users[type]?.guid, { organization });
  for (const type of SPACE_ROLES) await grant(queries, type, users[type]?.guid, { space });
  await grant(queries, 'space_developer', users.outsider?.guid, { space: otherSpace });
  return { organization, space, otherOrganization, otherSpace, users: complete(users) };
}

async function createUser(queries: Queries, keys: SigningKeys, actor: SignedIn) {
  const account = await createAccount(queries, { username: actor, scopes: SCOPES[actor] });
  if (account === undefined) throw new Error(`${actor} is taken`);
  await queries.insertInto('users').values({ guid: account.guid, username: actor, origin: 'uaa' }).execute();
  const parts = { queries, keys, issuer: 'http://test/uaa/oauth/token' };
  const { access_token: token } = await startSession(parts, { account, clientId: 'cf' });
  return { guid: account.guid, token };
}

async function grant(
  queries: Queries,
  type: RoleType,
  user: Guid | undefined,
  where: { organization?: Guid; space?: Guid },
): Promise<void> {
  if (user === undefined) throw new Error(`no user for ${type}`);
  await queries
    .insertInto('roles')
    .values({
      guid: newGuid(),
      type,
      user_guid: user,
      organization_guid: where.organization ?? null,
      space_guid: where.space ?? null,
    })
    .execute();
}

function complete(users: Partial<World['users']>): World['users'] {
  const all = (given: typeof users): given is World['users'] => SIGNED_IN.every((actor) => actor in given);
  if (!all(users)) throw new Error('a user is missing');
  return users;
}
