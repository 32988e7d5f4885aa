/** Routes and destinations as Cloud Foundry shows them. */
import type { z } from 'zod';
import type { Destination, Route as Row } from '../../../../service/resources/routes.ts';
import { instantText, metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { RouteAnswer } from './schema.ts';

/** Where apps listen when nothing is said. */
const DEFAULT_PORT = 8080;

export function presentRoute(
  row: Row,
  destinations: readonly Destination[],
  base: string,
): z.input<typeof RouteAnswer> {
  const self = `${base}/v3/routes/${row.guid}`;
  const port = row.port === null ? '' : `:${row.port}`;
  return {
    ...resourceFields(row),
    protocol: row.protocol,
    host: row.host,
    path: row.path,
    port: row.port,
    url: `${row.host === '' ? '' : `${row.host}.`}${row.domain_name}${port}${row.path}`,
    destinations: destinations.map(presentDestination),
    options: { ...row.options },
    relationships: { space: toOne(row.space_guid), domain: toOne(row.domain_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      space: { href: `${base}/v3/spaces/${row.space_guid}` },
      domain: { href: `${base}/v3/domains/${row.domain_guid}` },
      destinations: { href: `${self}/destinations` },
    },
  };
}

export function presentDestination(row: Destination) {
  return {
    guid: row.guid,
    created_at: instantText(row.created_at),
    updated_at: instantText(row.updated_at),
    app: { guid: row.app_guid, process: { type: row.process_type } },
    weight: null,
    port: row.port ?? DEFAULT_PORT,
    protocol: row.protocol ?? 'http1',
  };
}
