/** A row of users as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { User as Row } from '../../../../service/resources/users.ts';
import { metadataOf, resourceFields } from '../../route/present.ts';
import type { UserAnswer } from './schema.ts';

export function presentUser(row: Row, base: string): z.input<typeof UserAnswer> {
  return {
    ...resourceFields(row),
    username: row.username,
    presentation_name: row.username ?? row.guid,
    origin: row.origin,
    metadata: metadataOf(row),
    links: { self: { href: `${base}/v3/users/${row.guid}` } },
  };
}
