/** Giving a role: who may, to whom, where; with the sentences that clients know. */
import type { z } from 'zod';
import { mayManageOrganization, mayManageSpace } from '../../../../service/access/may.ts';
import { standingInOrganization, standingInSpace } from '../../../../service/access/standing.ts';
import { findOrganization } from '../../../../service/resources/organizations.ts';
import { createRole, isInOrganization, type Role } from '../../../../service/resources/roles.ts';
import { findSpace } from '../../../../service/resources/spaces.ts';
import { createUser, findUser, usersNamed } from '../../../../service/resources/users.ts';
import type { RoleType } from '../../../../service/state/schema-tenancy.ts';
import { unprocessable } from '../../route/cf-errors.ts';
import { demand } from '../../route/demand.ts';
import type { CallContext } from '../../route/route.ts';
import { identityOf } from '../users/identity.ts';
import type { CreateRole } from './schema.ts';

type Wish = z.output<typeof CreateRole>;

/** @throws CfError NotAuthorized, UnprocessableEntity. */
export async function grantRole(call: CallContext, { type, relationships }: Wish): Promise<Role> {
  const { organization, space, user } = relationships;
  if (organization !== undefined) {
    return await grantInOrganization(call, { type, user, guid: organization.data.guid });
  }
  if (space !== undefined) return await grantInSpace(call, { type, user, guid: space.data.guid });
  throw unprocessable('Role must be associated with an organization or a space.');
}

interface Place {
  readonly type: RoleType;
  readonly user: Wish['relationships']['user'];
  readonly guid: Role['guid'];
}

async function grantInOrganization(call: CallContext, { type, user, guid }: Place): Promise<Role> {
  const { caller, service } = call;
  const { queries } = service.database;
  const organization = await findOrganization(queries, caller, guid);
  if (organization === undefined) {
    throw unprocessable(
      'Invalid organization. Ensure that the organization exists and you have access to it.',
    );
  }
  demand(mayManageOrganization, await standingInOrganization(queries, caller, guid));
  const { guid: user_guid, name } = await newMember(call, user);
  const role = await createRole(queries, { type, user_guid, organization_guid: guid, space_guid: null });
  if (role !== undefined) return role;
  throw unprocessable(`User '${name}' already has '${type}' role in organization '${organization.name}'.`);
}

async function grantInSpace(call: CallContext, { type, user, guid }: Place): Promise<Role> {
  const { caller, service } = call;
  const { queries } = service.database;
  const space = await findSpace(queries, caller, guid);
  if (space === undefined) {
    throw unprocessable('Invalid space. Ensure that the space exists and you have access to it.');
  }
  demand(mayManageSpace, await standingInSpace(queries, caller, guid));
  const known = await userOf(call, user);
  if (known === undefined || !(await isInOrganization(queries, known.guid, space.organization_guid))) {
    // Also of users that there are not, as Cloud Controller does: `cf` goes on after it.
    throw unprocessable(
      "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
    );
  }
  const { guid: user_guid, name } = known;
  const role = await createRole(queries, { type, user_guid, organization_guid: null, space_guid: guid });
  if (role !== undefined) return role;
  throw unprocessable(`User '${name}' already has '${type}' role in space '${space.name}'.`);
}

type UserInput = Wish['relationships']['user'];

interface Member {
  readonly guid: string;
  readonly name: string;
}

/** Whom a request names. A guid that nobody has had a role with becomes a user: an issuer of its own may know it. */
async function newMember(call: CallContext, user: UserInput): Promise<Member> {
  const known = await userOf(call, user);
  if (known !== undefined) return known;
  const { guid, username = '', origin } = user.data;
  if (guid !== undefined) {
    const { queries } = call.service.database;
    const identity = await identityOf(queries, guid);
    await createUser(queries, identity);
    return { guid, name: identity.username ?? guid };
  }
  throw unprocessable(
    origin === undefined
      ? `No user exists with the username '${username}'.`
      : `No user exists with the username '${username}' and origin '${origin}'.`,
  );
}

/** The user that a request names, made known when only the sign-in knew it; undefined: nobody whom the caller knows. */
async function userOf({ caller, service }: CallContext, { data }: UserInput): Promise<Member | undefined> {
  const { queries } = service.database;
  if (data.guid !== undefined) {
    const user = await findUser(queries, caller, data.guid);
    return user && { guid: user.guid, name: user.username ?? user.guid };
  }
  const { username = '', origin } = data;
  const named = await usersNamed(queries, username, origin);
  const [user] = named;
  if (user === undefined) return undefined;
  if (named.length > 1) {
    const origins = named
      .map((one) => one.origin)
      .toSorted()
      .join(', ');
    throw unprocessable(
      `Ambiguous user. User with username '${username}' exists in the following origins: ${origins}. Specify an origin to disambiguate.`,
    );
  }
  // Known already is as good.
  await createUser(queries, user);
  return { guid: user.guid, name: user.username };
}
