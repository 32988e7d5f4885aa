/** A row of buildpacks as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Buildpack as Row } from '../../../../service/resources/buildpacks.ts';
import { metadataOf, resourceFields } from '../../route/present.ts';
import type { BuildpackAnswer } from './schema.ts';

export function presentBuildpack(row: Row, base: string): z.input<typeof BuildpackAnswer> {
  const self = `${base}/v3/buildpacks/${row.guid}`;
  return {
    ...resourceFields(row),
    name: row.name,
    stack: row.stack,
    state: row.state,
    filename: row.filename,
    lifecycle: row.lifecycle,
    position: row.position,
    enabled: row.enabled,
    locked: row.locked,
    metadata: metadataOf(row),
    links: { self: { href: self }, upload: { href: `${self}/upload`, method: 'POST' } },
  };
}
