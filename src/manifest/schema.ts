/** The shape of an app in a Cloud Foundry manifest, as far as staging and running a droplet go. */
import { z } from 'zod';
import { parseMegabytes } from '../units.ts';

const size = z.union([z.string(), z.number()]).transform((value, context) => {
  const megabytes = typeof value === 'number' ? undefined : parseMegabytes(value);
  if (megabytes !== undefined) return megabytes;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(value)} is not a size with a unit, such as 512M`,
  });
  return z.NEVER;
});

const command = z.string().max(4096).nullable();
const processType = z.string().regex(/^[\w.-]{1,255}$/, 'a process type is letters, digits, _ . or -');
const envValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.record(z.string(), z.unknown()),
  z.array(z.unknown()),
]);
const health = {
  'health-check-type': z.enum(['port', 'http', 'process', 'none']).exactOptional(),
  'health-check-http-endpoint': z.string().max(255).exactOptional(),
  'health-check-invocation-timeout': z.number().min(1).exactOptional(),
  'health-check-interval': z.number().min(1).exactOptional(),
  timeout: z.number().min(1).exactOptional(),
};

const processSchema = z.object({
  type: processType,
  command: command.exactOptional(),
  memory: size.exactOptional(),
  disk_quota: size.exactOptional(),
  'disk-quota': size.exactOptional(),
  ...health,
});

const sidecarSchema = z.object({
  name: z.string().min(1).max(255),
  process_types: z.array(processType).min(1),
  command: z.string().min(1).max(4096),
  memory: size.exactOptional(),
});

const service = z.union([z.string(), z.object({ name: z.string() })]);

/** One application. Sizes become MiB. */
export const appSchema = z.object({
  name: z.string().min(1),
  path: z.string().exactOptional(),
  buildpack: z.string().nullable().exactOptional(),
  buildpacks: z.array(z.string().min(1)).nullable().exactOptional(),
  stack: z.string().min(1).exactOptional(),
  env: z.record(z.string(), envValue).nullable().exactOptional(),
  memory: size.exactOptional(),
  disk_quota: size.exactOptional(),
  'disk-quota': size.exactOptional(),
  command: command.exactOptional(),
  processes: z.array(processSchema).exactOptional(),
  sidecars: z.array(sidecarSchema).exactOptional(),
  services: z.array(service).exactOptional(),
  lifecycle: z.string().exactOptional(),
  docker: z.unknown().optional(),
  ...health,
});

/** A parsed application. */
export type ManifestApp = z.infer<typeof appSchema>;

/** Keys that a foundation understands and staging has no use for: neither used nor warned about. */
export const KEYS_WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'instances',
  'routes',
  'no-route',
  'random-route',
  'default-route',
  'metadata',
  'log-rate-limit-per-second',
  'readiness-health-check-type',
  'readiness-health-check-http-endpoint',
  'readiness-health-check-invocation-timeout',
  'readiness-health-check-interval',
  'features',
  'cnb-credentials',
]);
