/** Apps on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { ToOneInput } from '../../route/params.ts';
import { Link, Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';
import { LifecycleAnswer } from './present-lifecycle.ts';

const Name = z
  .string({ error: 'must be a string' })
  .min(1, { error: 'Name must not be empty' })
  .max(255)
  .regex(/^[\p{L}\p{N}\p{P}\p{S}\p{M}\p{Zs}]+$/u, { error: 'Name contains invalid characters' });

/** Variables of a request; null takes one away. */
export const VariablesInput = z.record(
  z.string(),
  z
    .union([
      z.string(),
      z.number(),
      z.boolean(),
      z.null(),
      z.record(z.string(), z.unknown()),
      z.array(z.unknown()),
    ])
    .transform((value) =>
      value === null || typeof value === 'string'
        ? value
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value),
    ),
);

export const LifecycleInput = z.strictObject({
  type: z.enum(['buildpack', 'cnb', 'docker']),
  data: z.strictObject({
    buildpacks: z.array(z.string().min(1).max(4096)).max(100).nullish(),
    stack: z.string().max(255).nullish(),
    credentials: z.record(z.string(), z.unknown()).nullish(),
  }),
});

export const AppsQuery = listQuery(
  {
    names: texts.optional(),
    space_guids: texts.optional(),
    organization_guids: texts.optional(),
    stacks: texts.optional(),
    lifecycle_type: z.enum(['buildpack', 'cnb', 'docker']).optional(),
    include: oneOrMoreOf(['space', 'org', 'space.organization']).optional(),
  },
  ['name', 'state'],
);

export const AppQuery = z.strictObject({
  include: oneOrMoreOf(['space', 'org', 'space.organization']).optional(),
});

export const CreateApp = z.strictObject({
  name: Name,
  relationships: z.strictObject({ space: ToOneInput }),
  environment_variables: VariablesInput.optional(),
  lifecycle: LifecycleInput.optional(),
  metadata: MetadataInput,
});

export const UpdateApp = z.strictObject({
  name: Name.optional(),
  lifecycle: LifecycleInput.partial().optional(),
  metadata: MetadataInput,
});

export const AppAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    state: z.string(),
    lifecycle: LifecycleAnswer,
    relationships: z.object({ space: ToOne, current_droplet: ToOne }),
    metadata: Metadata,
    links: Links,
    included: z.record(z.string(), z.array(z.unknown())).optional(),
  })
  .describe('app');

export const Apps = listOf(AppAnswer);

export const Environment = z.object({
  staging_env_json: z.record(z.string(), z.unknown()),
  running_env_json: z.record(z.string(), z.unknown()),
  environment_variables: z.record(z.string(), z.string()),
  system_env_json: z.object({ VCAP_SERVICES: z.record(z.string(), z.unknown()) }),
  application_env_json: z.object({ VCAP_APPLICATION: z.record(z.string(), z.unknown()) }),
});

export const VariablesPatch = z.strictObject({ var: VariablesInput });
export const VariablesAnswer = z.object({ var: z.record(z.string(), z.string()), links: Links });

export const CurrentDroplet = z.object({ data: z.object({ guid: z.string() }), links: Links });

export const Permissions = z.object({ read_basic_data: z.boolean(), read_sensitive_data: z.boolean() });
export const SshEnabled = z.object({ enabled: z.boolean(), reason: z.string() });

export const AppFeature = z.object({ name: z.string(), description: z.string(), enabled: z.boolean() });
export const AppFeatures = z.object({
  resources: z.array(AppFeature),
  pagination: z.object({
    total_results: z.int(),
    total_pages: z.int(),
    first: Link,
    last: Link,
    next: Link.nullable(),
    previous: Link.nullable(),
  }),
});
export const FeaturePatch = z.strictObject({ enabled: z.boolean({ error: 'Enabled must be a boolean' }) });
