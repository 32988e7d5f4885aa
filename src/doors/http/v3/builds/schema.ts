/** Builds on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { GuidText } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';
import { LifecycleAnswer } from '../apps/present-lifecycle.ts';
import { LifecycleInput, VariablesInput } from '../apps/schema.ts';

const STATES = ['STAGING', 'STAGED', 'FAILED'] as const;

export const AppBuildsQuery = listQuery({ states: oneOrMoreOf(STATES).optional() });

export const BuildsQuery = listQuery({
  states: oneOrMoreOf(STATES).optional(),
  app_guids: texts.optional(),
  package_guids: texts.optional(),
});

const MEGABYTES = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
  .optional();

/** Ours: what becomes of the build when another of its app is STAGING. Cloud Controller refuses it. */
export const CreateBuildQuery = z.strictObject({
  when_staging: z.enum(['refuse', 'wait', 'supersede']).optional(),
});

export const CreateBuild = z.strictObject({
  package: z.strictObject({ guid: GuidText }),
  lifecycle: LifecycleInput.partial().nullish(),
  staging_memory_in_mb: MEGABYTES,
  staging_disk_in_mb: MEGABYTES,
  /** -1: no limit. */
  staging_log_rate_limit_bytes_per_second: z.int().min(-1).optional(),
  environment_variables: VariablesInput.optional(),
  metadata: MetadataInput,
});

/** `state` FAILED ends a build that is STAGING. */
export const UpdateBuild = z.strictObject({
  state: z.enum(STATES).optional(),
  error: z.string().min(1).max(500).optional(),
  metadata: MetadataInput,
});

export const BuildAnswer = z
  .object({
    ...ResourceFields,
    created_by: z.object({ guid: z.string(), name: z.string().nullable(), email: z.string().nullable() }),
    state: z.string(),
    staging_memory_in_mb: z.int(),
    staging_disk_in_mb: z.int(),
    staging_log_rate_limit_bytes_per_second: z.int(),
    error: z.string().nullable(),
    lifecycle: LifecycleAnswer,
    package: z.object({ guid: z.string() }),
    droplet: z.object({ guid: z.string() }).nullable(),
    relationships: z.object({ app: ToOne }),
    metadata: Metadata,
    links: Links,
    queue: z
      .object({ position: z.int(), expected_wait_in_seconds: z.int().nullable(), reason: z.string() })
      .optional()
      .describe('only while it waits for a worker'),
  })
  .describe('build');

export const Builds = listOf(BuildAnswer);
