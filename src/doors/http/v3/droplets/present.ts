/** A row of droplets as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Droplet as Row } from '../../../../service/resources/droplets.ts';
import { redactUrls } from '../../../../staging/logs/redact.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { DropletAnswer } from './schema.ts';

/** Commands may hold secrets: `hidden` says what stands in their place. */
export type Commands = 'shown' | 'hidden' | 'hidden in lists';

const HIDDEN = {
  hidden: '[PRIVATE DATA HIDDEN]',
  'hidden in lists': '[PRIVATE DATA HIDDEN IN LISTS]',
} as const;

export function presentDroplet(row: Row, base: string, commands: Commands): z.input<typeof DropletAnswer> {
  const self = `${base}/v3/droplets/${row.guid}`;
  const app = `${base}/v3/apps/${row.app_guid}`;
  return {
    ...resourceFields(row),
    state: row.state,
    error: row.error,
    lifecycle: { type: row.lifecycle_type, data: {} },
    checksum: row.sha256 === null ? null : { type: 'sha256', value: row.sha256 },
    buildpacks:
      row.lifecycle_type === 'docker'
        ? null
        : row.buildpacks.map((it) => ({ ...it, name: redactUrls(it.name) })),
    stack: row.stack,
    image: row.image,
    execution_metadata: commands === 'shown' ? row.execution_metadata : HIDDEN[commands],
    process_types: commands === 'shown' ? { ...row.process_types } : { redacted_message: HIDDEN[commands] },
    relationships: { app: toOne(row.app_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      app: { href: app },
      assign_current_droplet: { href: `${app}/relationships/current_droplet`, method: 'PATCH' },
      ...(row.state === 'STAGED' &&
        row.lifecycle_type !== 'docker' && { download: { href: `${self}/download` } }),
      ...(row.state === 'AWAITING_UPLOAD' && { upload: { href: `${self}/upload`, method: 'POST' } }),
      ...(row.package_guid !== null && { package: { href: `${base}/v3/packages/${row.package_guid}` } }),
    },
  };
}
