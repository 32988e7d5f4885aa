/** A row of spaces as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Caller } from '../../../../service/access/caller.ts';
import { organizationsOf } from '../../../../service/resources/organizations.ts';
import type { Space as Row } from '../../../../service/resources/spaces.ts';
import type { Queries } from '../../../../service/state/database.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import { presentOrganization } from '../organizations/present.ts';
import type { SpaceAnswer } from './schema.ts';

export function presentSpace(row: Row, base: string): z.input<typeof SpaceAnswer> {
  const self = `${base}/v3/spaces/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    relationships: { organization: toOne(row.organization_guid), quota: toOne(null) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      organization: { href: `${base}/v3/organizations/${row.organization_guid}` },
      features: { href: `${self}/features` },
      apply_manifest: { href: `${self}/actions/apply_manifest`, method: 'POST' },
    },
  };
}

/** `included` for these spaces: their organizations. */
export async function includedOrganizations(
  queries: Queries,
  caller: Caller,
  at: { readonly rows: readonly Row[]; readonly base: string },
) {
  const guids = [...new Set(at.rows.map((row) => row.organization_guid))];
  const rows = await organizationsOf(queries, caller, guids);
  return { organizations: rows.map((row) => presentOrganization(row, at.base)) };
}
