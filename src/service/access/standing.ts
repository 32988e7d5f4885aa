/** What a caller is in one organization or space: read once a request, then asked by the questions in may.ts. */
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import type { RoleType } from '../state/schema-tenancy.ts';
import { type Caller, isAdmin, isReadOnlyAdmin } from './caller.ts';

/** See the top of the file. */
export interface Standing {
  readonly admin: boolean;
  readonly readOnlyAdmin: boolean;
  readonly roles: ReadonlySet<RoleType>;
  /** The organization is suspended: only an admin changes anything in it. */
  readonly suspended: boolean;
}

/** That of a caller outside of every organization. */
export function globalStanding(caller: Caller): Standing {
  return {
    admin: isAdmin(caller),
    readOnlyAdmin: isReadOnlyAdmin(caller),
    roles: new Set(),
    suspended: false,
  };
}

/** Roles in the organization itself, not those in its spaces. */
export async function standingInOrganization(
  queries: Queries,
  caller: Caller,
  organization: Guid,
): Promise<Standing> {
  const rows = await queries
    .selectFrom('organizations')
    .leftJoin('roles', (join) =>
      join
        .onRef('roles.organization_guid', '=', 'organizations.guid')
        .on('roles.user_guid', '=', caller.guid),
    )
    .where('organizations.guid', '=', organization)
    .select(['organizations.suspended', 'roles.type'])
    .execute();
  return standing(caller, rows);
}

/** Roles in the space, and those in its organization. */
export async function standingInSpace(queries: Queries, caller: Caller, space: Guid): Promise<Standing> {
  const rows = await queries
    .selectFrom('spaces')
    .innerJoin('organizations', 'organizations.guid', 'spaces.organization_guid')
    .leftJoin('roles', (join) =>
      join
        .on((eb) =>
          eb.or([
            eb('roles.space_guid', '=', eb.ref('spaces.guid')),
            eb('roles.organization_guid', '=', eb.ref('organizations.guid')),
          ]),
        )
        .on('roles.user_guid', '=', caller.guid),
    )
    .where('spaces.guid', '=', space)
    .select(['organizations.suspended', 'roles.type'])
    .execute();
  return standing(caller, rows);
}

function standing(
  caller: Caller,
  rows: readonly { readonly suspended: boolean; readonly type: RoleType | null }[],
): Standing {
  return {
    ...globalStanding(caller),
    roles: new Set(rows.flatMap(({ type }) => type ?? [])),
    suspended: rows.some((row) => row.suspended),
  };
}
