/** A row of packages as Cloud Foundry shows it. */
import type { z } from 'zod';
import { dockerImageOf } from '../../../../service/resources/docker-packages.ts';
import type { Package as Row } from '../../../../service/resources/packages.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { PackageAnswer } from './schema.ts';

export function presentPackage(row: Row, base: string): z.input<typeof PackageAnswer> {
  const self = `${base}/v3/packages/${row.guid}`;
  return {
    ...resourceFields(row),
    type: row.type,
    state: row.state,
    data: row.type === 'docker' ? dockerData(row) : bitsData(row),
    relationships: { app: toOne(row.app_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      app: { href: `${base}/v3/apps/${row.app_guid}` },
      ...(row.type === 'bits' && {
        upload: { href: `${self}/upload`, method: 'POST' },
        download: { href: `${self}/download`, method: 'GET' },
      }),
    },
  };
}

const bitsData = ({ error, sha256 }: Row) => ({ error, checksum: { type: 'sha256', value: sha256 } });

/** Nobody is shown the password. */
function dockerData(row: Row) {
  const { image, username = null } = dockerImageOf(row);
  return { image, username, password: username === null ? null : '***' };
}
