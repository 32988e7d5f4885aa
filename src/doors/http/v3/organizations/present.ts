/** A row of organizations as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Organization as Row } from '../../../../service/resources/organizations.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import { DEFAULT_QUOTA } from '../quotas/default-quota.ts';
import type { OrganizationAnswer } from './schema.ts';

export function presentOrganization(row: Row, base: string): z.input<typeof OrganizationAnswer> {
  const self = `${base}/v3/organizations/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    suspended: row.suspended,
    relationships: { quota: toOne(DEFAULT_QUOTA) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      quota: { href: `${base}/v3/organization_quotas/${DEFAULT_QUOTA}` },
      domains: { href: `${self}/domains` },
      default_domain: { href: `${self}/domains/default` },
    },
  };
}
