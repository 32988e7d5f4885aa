/** Processes on the wire. */
import { z } from 'zod';
import { listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const MAX_INT = 2 ** 31 - 1;
const whole = (name: string, least: number) =>
  z
    .int({ error: `${name} is not a number` })
    .min(least, { error: `${name} must be greater than or equal to ${least}` })
    .max(MAX_INT);

export const ProcessesQuery = listQuery({
  types: texts.optional(),
  app_guids: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
  embed: z.literal('process_instances').optional(),
});
export const AppProcessesQuery = listQuery({
  types: texts.optional(),
  embed: z.literal('process_instances').optional(),
});

const HealthData = z.strictObject({
  timeout: whole('Timeout', 1).nullish(),
  invocation_timeout: whole('Invocation timeout', 1).nullish(),
  interval: whole('Interval', 1).nullish(),
  endpoint: z
    .string()
    .max(255)
    .refine((path) => /^\/[\x21-\x7e]*$/.test(path), {
      error: 'Health check endpoint must be a valid URI path',
    })
    .nullish(),
});
export const HealthCheckInput = z.strictObject({
  type: z.enum(['port', 'process', 'http']),
  data: HealthData.optional(),
});

export const UpdateProcess = z.strictObject({
  command: z.string().min(1).max(4096).nullish(),
  health_check: HealthCheckInput.optional(),
  readiness_health_check: HealthCheckInput.optional(),
  user: z.string().max(255).nullish(),
  metadata: MetadataInput,
});

export const ScaleProcess = z.strictObject({
  instances: whole('Instances', 0).optional(),
  memory_in_mb: whole('Memory in mb', 1).optional(),
  disk_in_mb: whole('Disk in mb', 1).optional(),
  log_rate_limit_in_bytes_per_second: whole('Log rate limit in bytes per second', -1).optional(),
});

const HealthCheck = z.object({
  type: z.string(),
  data: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});

const Instance = z.object({ index: z.int(), state: z.string(), since: z.int() });

export const ProcessAnswer = z
  .object({
    ...ResourceFields,
    version: z.string(),
    type: z.string(),
    command: z.string().nullable(),
    user: z.string().nullable(),
    instances: z.int(),
    memory_in_mb: z.int(),
    disk_in_mb: z.int(),
    log_rate_limit_in_bytes_per_second: z.int(),
    health_check: HealthCheck,
    readiness_health_check: HealthCheck,
    relationships: z.object({ app: ToOne, revision: ToOne }),
    metadata: Metadata,
    links: Links,
    process_instances: z.array(Instance).optional(),
  })
  .describe('process');
export const Processes = listOf(ProcessAnswer);

export const ProcessInstances = z.object({ resources: z.array(Instance), links: Links });

export const ProcessStats = z.object({
  resources: z.array(z.object({ type: z.string(), index: z.int(), state: z.string() }).loose()),
});

export const SidecarAnswer = z.object({
  ...ResourceFields,
  name: z.string(),
  command: z.string(),
  process_types: z.array(z.string()),
  memory_in_mb: z.int().nullable(),
  origin: z.string(),
  relationships: z.object({ app: ToOne }),
});
export const Sidecars = listOf(SidecarAnswer);
export const SidecarsQuery = listQuery({});
