/** A row of domains as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Domain as Row } from '../../../../service/resources/domains.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { DomainAnswer } from './schema.ts';

export function presentDomain(row: Row, base: string): z.input<typeof DomainAnswer> {
  const self = `${base}/v3/domains/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    internal: row.internal,
    router_group: null,
    supported_protocols: ['http'],
    relationships: { organization: toOne(row.organization_guid), shared_organizations: { data: [] } },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      route_reservations: { href: `${self}/route_reservations` },
      ...(row.organization_guid !== null && {
        organization: { href: `${base}/v3/organizations/${row.organization_guid}` },
      }),
    },
  };
}
