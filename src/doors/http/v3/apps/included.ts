/** `include=space,space.organization` of apps and other rows of a space: the spaces and organizations that their rows name, once each. */
import type { Queries } from '../../../../service/state/database.ts';
import type { Guid } from '../../../../words/ids.ts';
import { presentOrganization } from '../organizations/present.ts';
import { presentSpace } from '../spaces/present.ts';

/** `org` is the old name of `space.organization`. */
export type AppInclude = 'space' | 'org' | 'space.organization';

/** What is in them is seen by whoever sees the row. */
export async function includedWithApps(
  queries: Queries,
  rows: readonly { readonly space_guid: Guid }[],
  { include, base }: { readonly include: readonly AppInclude[] | undefined; readonly base: string },
) {
  if (include === undefined) return {};
  const guids = [...new Set(rows.map((row) => row.space_guid))];
  const spaces =
    guids.length === 0
      ? []
      : await queries.selectFrom('spaces').selectAll().where('guid', 'in', guids).orderBy('id').execute();
  const wantsOrganizations = include.some((word) => word !== 'space');
  const owners = [...new Set(spaces.map((space) => space.organization_guid))];
  const organizations =
    !wantsOrganizations || owners.length === 0
      ? []
      : await queries
          .selectFrom('organizations')
          .selectAll()
          .where('guid', 'in', owners)
          .orderBy('id')
          .execute();
  return {
    included: {
      ...(include.includes('space') && { spaces: spaces.map((row) => presentSpace(row, base)) }),
      ...(wantsOrganizations && {
        organizations: organizations.map((row) => presentOrganization(row, base)),
      }),
    },
  };
}
