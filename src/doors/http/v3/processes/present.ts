/** A row of processes as Cloud Foundry shows it. */
import type { z } from 'zod';
import type { Process as Row, Sidecar as SidecarRow } from '../../../../service/resources/processes.ts';
import { metadataOf, resourceFields, toOne } from '../../route/present.ts';
import type { ProcessAnswer, SidecarAnswer } from './schema.ts';

/** What stands for a start command that the caller may not read. */
const REDACTED = '[PRIVATE DATA HIDDEN]';

export interface ProcessView {
  readonly base: string;
  /** Lists never show commands, as Cloud Controller's. */
  readonly command: 'shown' | 'hidden';
  /** Where nobody set a command, the droplet's. */
  readonly detected?: string | null;
  readonly embedInstances?: boolean;
}

export function presentProcess(row: Row, view: ProcessView): z.input<typeof ProcessAnswer> {
  const self = `${view.base}/v3/processes/${row.guid}`;
  const app = `${view.base}/v3/apps/${row.app_guid}`;
  const command = row.command ?? view.detected ?? null;
  return {
    ...resourceFields(row),
    version: row.guid,
    type: row.type,
    command: command === null || view.command === 'shown' ? command : REDACTED,
    user: row.process_user,
    instances: row.instances,
    memory_in_mb: row.memory_in_mb,
    disk_in_mb: row.disk_in_mb,
    log_rate_limit_in_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
    health_check: { type: row.health_check.type, data: { ...row.health_check.data } },
    readiness_health_check: {
      type: row.readiness_health_check.type,
      data: { ...row.readiness_health_check.data },
    },
    relationships: { app: toOne(row.app_guid), revision: toOne(null) },
    metadata: metadataOf(row),
    links: {
      self: { href: self },
      scale: { href: `${self}/actions/scale`, method: 'POST' },
      app: { href: app },
      space: { href: `${app}` },
      stats: { href: `${self}/stats` },
      process_instances: { href: `${self}/process_instances` },
    },
    ...(view.embedInstances === true && { process_instances: instancesOf(row) }),
  };
}

/** Nothing runs: every instance that was asked for is down. */
export function instancesOf({ instances }: Pick<Row, 'instances'>) {
  return Array.from({ length: instances }, (_, index) => ({ index, state: 'DOWN', since: 0 }));
}

export function presentSidecar(row: SidecarRow): z.input<typeof SidecarAnswer> {
  return {
    ...resourceFields(row),
    name: row.name,
    command: row.command,
    process_types: [...row.process_types],
    memory_in_mb: row.memory_in_mb,
    origin: row.origin,
    relationships: { app: toOne(row.app_guid) },
  };
}
