/** A row of packages as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Package as Row } from '../../../../service/resources/packages.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { PackageAnswer } from './schema.ts';

export function presentPackage(row: Row, base: string): z.input<typeof PackageAnswer> {
  const self = `${base}/v3/packages/${row.guid}`;
  return {
    ...resourceFields(row),
    type: row.type,
    state: row.state,
    data: { error: row.error, checksum: { type: 'sha256', value: row.sha256 } },
    relationships: { app: toOne(row.app_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      app: { href: `${base}/v3/apps/${row.app_guid}` },
      upload: { href: `${self}/upload`, method: 'POST' },
      download: { href: `${self}/download`, method: 'GET' },
    },
  };
}
