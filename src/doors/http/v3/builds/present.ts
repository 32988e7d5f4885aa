/** A row of builds as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { QueuePlace } from '../../../../service/queue/waiting.ts';
import type { Build as Row } from '../../../../service/resources/builds.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import { presentLifecycle } from '../apps/present-lifecycle.ts';
import type { BuildAnswer } from './schema.ts';

export function presentBuild(row: Row, base: string, place?: QueuePlace): z.input<typeof BuildAnswer> {
  const self = `${base}/v3/builds/${row.guid}`;
  return {
    ...resourceFields(row),
    created_by: { ...row.created_by },
    state: row.state,
    staging_memory_in_mb: row.staging_memory_in_mb,
    staging_disk_in_mb: row.staging_disk_in_mb,
    staging_log_rate_limit_bytes_per_second: row.staging_log_rate_limit_bytes_per_second,
    error: row.error_id === null ? null : `${row.error_id} - ${row.error_description ?? ''}`,
    lifecycle: presentLifecycle(row.lifecycle_type, { ...row, ...row.lifecycle_data }),
    package: { guid: row.package_guid },
    droplet: row.droplet_guid === null ? null : { guid: row.droplet_guid },
    relationships: { app: toOne(row.app_guid) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      app: { href: `${base}/v3/apps/${row.app_guid}` },
      logs: { href: `${self}/logs` },
      ...(row.droplet_guid !== null && { droplet: { href: `${base}/v3/droplets/${row.droplet_guid}` } }),
    },
    ...(place !== undefined && {
      queue: {
        position: place.position,
        expected_wait_in_seconds: place.expectedWaitS ?? null,
        reason: place.reason,
      },
    }),
  };
}
