/** The shape of a stored staging record: it may have been written by another version, or edited by hand. */
import { z } from 'zod';
import { parseGuid, parseSha1, parseSha256 } from './ids.ts';
import type { StagingRecord } from './staging-record.ts';

/** A text that `parse` accepts, as its branded type. */
function branded<T>(parse: (text: string) => T | undefined, what: string) {
  return z.string().transform((text, context): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `not a ${what}` });
    return z.NEVER;
  });
}

const guid = branded(parseGuid, 'guid');
const sha256 = branded(parseSha256, 'sha256');
const sha1 = branded(parseSha1, 'sha1');
const text = z.string();
const count = z.number();

const blob = z.object({ location: text, sizeBytes: count, sha1, sha256 });
const sidecar = z.object({
  name: text,
  process_types: z.array(text),
  command: text,
  memory: count.exactOptional(),
});
const healthCheck = z.object({
  type: z.enum(['port', 'http', 'process']),
  httpEndpoint: text.exactOptional(),
  startTimeoutMs: count.exactOptional(),
  invocationTimeoutMs: count.exactOptional(),
  intervalMs: count.exactOptional(),
});
const phaseName = z.enum([
  'source',
  'workspace',
  'buildpacks',
  'restore-cache',
  'detect',
  'supply',
  'finalize',
  'compile',
  'release',
  'droplet',
  'save-cache',
  'smoke',
  'launch',
]);

/** What a buildpack says of one thing that it installed. */
export const dependencySchema = z.object({
  name: text,
  version: text,
  uri: text,
  checksum: text,
  line: text.exactOptional(),
  newestOfLine: text.exactOptional(),
  newest: text.exactOptional(),
  endOfLife: text.exactOptional(),
});

/** One run of a phase. */
export const phaseSchema = z.object({
  name: phaseName,
  index: count.exactOptional(),
  buildpack: text.exactOptional(),
});

/** result.json of the buildpack lifecycle. */
export const resultSchema = z.object({
  lifecycle_metadata: z.object({
    buildpack_key: text,
    detected_buildpack: text,
    buildpacks: z.array(
      z.object({
        key: text,
        name: text,
        version: text.exactOptional(),
        config: z.object({ entrypoint_prefix: text }).exactOptional(),
        output_metadata: z.record(text, z.unknown()).exactOptional(),
      }),
    ),
  }),
  process_types: z.record(text, text).nullable(),
  processes: z.array(z.object({ type: text, command: text })).nullable(),
  sidecars: z.array(sidecar).exactOptional(),
  execution_metadata: text,
  lifecycle_type: z.literal('buildpack'),
});

const cnbResult = z.object({
  lifecycle_metadata: z.object({ buildpacks: z.array(z.object({ key: text, name: text, version: text })) }),
  process_types: z.record(text, text),
  execution_metadata: z.literal(''),
  lifecycle_type: z.literal('cnb'),
});

/** Parses a record; unknown keys are dropped. */
export const recordSchema = z.object({
  build: guid,
  app: z.object({ guid, name: text }),
  source: text,
  package: guid.exactOptional(),
  stack: text,
  sandbox: text,
  startedAt: text,
  durationMs: count,
  phases: z.array(
    z.object({
      phase: phaseSchema,
      durationMs: count,
      outcome: text,
    }),
  ),
  buildpacks: z.array(
    z.object({
      key: text,
      name: text,
      version: text.exactOptional(),
      sha256,
      family: z.enum(['cf-v2', 'cf-v3', 'heroku', 'cnb']),
    }),
  ),
  dependencies: z.array(dependencySchema).exactOptional(),
  droplet: blob.extend({ guid }),
  buildCache: blob.exactOptional(),
  reused: z.boolean(),
  limits: z.object({ memoryMb: count, diskMb: count, timeoutMs: count }),
  peaks: z.object({ memoryBytes: count.exactOptional(), diskBytes: count.exactOptional() }),
  warnings: z.array(text),
  launch: z
    .object({
      commands: z.record(text, text),
      sidecars: z.array(sidecar),
      healthChecks: z.record(text, healthCheck).exactOptional(),
      memoryMb: z.record(text, z.number()).exactOptional(),
      diskMb: z.record(text, z.number()).exactOptional(),
      envNames: z.array(text).exactOptional(),
    })
    .exactOptional(),
  reuseKey: sha256.exactOptional(),
  result: z.discriminatedUnion('lifecycle_type', [resultSchema, cnbResult]),
}) satisfies z.ZodType<StagingRecord>;
