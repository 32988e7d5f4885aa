/** A row of roles as Cloud Foundry shows it, and what `include` adds. */
import type { z } from 'zod';
import { organizationsOf } from '../../../../service/resources/organizations.ts';
import type { Role as Row } from '../../../../service/resources/roles.ts';
import { spacesOf } from '../../../../service/resources/spaces.ts';
import { usersOf } from '../../../../service/resources/users.ts';
import type { Guid } from '../../../../words/ids.ts';
import { resourceFields, toOne } from '../../route/present.ts';
import type { CallContext } from '../../route/route.ts';
import { presentOrganization } from '../organizations/present.ts';
import { presentSpace } from '../spaces/present.ts';
import { presentUser } from '../users/present.ts';
import type { RoleAnswer } from './schema.ts';

export function presentRole(row: Row, base: string): z.input<typeof RoleAnswer> {
  const { organization_guid: organization, space_guid: space } = row;
  return {
    ...resourceFields(row),
    type: row.type,
    relationships: { user: toOne(row.user_guid), organization: toOne(organization), space: toOne(space) },
    links: {
      self: { href: `${base}/v3/roles/${row.guid}` },
      user: { href: `${base}/v3/users/${row.user_guid}` },
      ...(organization !== null && { organization: { href: `${base}/v3/organizations/${organization}` } }),
      ...(space !== null && { space: { href: `${base}/v3/spaces/${space}` } }),
    },
  };
}

/** `included` for these roles; undefined when nothing was asked for. */
export async function includedOf(
  { service, caller, base }: CallContext,
  rows: readonly Row[],
  include: readonly ('user' | 'organization' | 'space')[] | undefined,
) {
  if (include === undefined) return undefined;
  const { queries } = service.database;
  const guidsOf = (column: 'organization_guid' | 'space_guid'): readonly Guid[] => [
    ...new Set(rows.flatMap((row) => row[column] ?? [])),
  ];
  return {
    ...(include.includes('user') && {
      users: (await usersOf(queries, [...new Set(rows.map((row) => row.user_guid))])).map((row) =>
        presentUser(row, base),
      ),
    }),
    ...(include.includes('organization') && {
      organizations: (await organizationsOf(queries, caller, guidsOf('organization_guid'))).map((row) =>
        presentOrganization(row, base),
      ),
    }),
    ...(include.includes('space') && {
      spaces: (await spacesOf(queries, caller, guidsOf('space_guid'))).map((row) => presentSpace(row, base)),
    }),
  };
}
