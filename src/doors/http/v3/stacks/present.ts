/** A row of stacks as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Stack as Row } from '../../../../service/resources/stacks.ts';
import { metadataOf, resourceFields } from '../../route/present.ts';
import type { StackAnswer } from './schema.ts';

export function presentStack(row: Row, base: string): z.input<typeof StackAnswer> {
  return {
    ...resourceFields(row),
    name: row.name,
    description: row.description,
    state: row.state,
    state_reason: row.state_reason,
    default: row.is_default,
    build_rootfs_image: row.rootfs,
    run_rootfs_image: row.rootfs,
    metadata: metadataOf(row),
    links: { self: { href: `${base}/v3/stacks/${row.guid}` } },
  };
}
