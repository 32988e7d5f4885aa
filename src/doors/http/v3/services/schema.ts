/** Service instances that users provide, and their bindings, on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { GuidText, ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

/** Fields of what an instance is made of; those of managed ones lead nowhere here. */
const fields = {
  'fields[space]': texts.optional(),
  'fields[space.organization]': texts.optional(),
  'fields[service_plan]': texts.optional(),
  'fields[service_plan.service_offering]': texts.optional(),
  'fields[service_plan.service_offering.service_broker]': texts.optional(),
};
export type FieldsQuery = { readonly [Key in keyof typeof fields]?: readonly string[] | undefined };

export const ServiceInstancesQuery = listQuery(
  {
    names: texts.optional(),
    space_guids: texts.optional(),
    organization_guids: texts.optional(),
    service_plan_guids: texts.optional(),
    service_plan_names: texts.optional(),
    type: z.enum(['managed', 'user-provided']).optional(),
    ...fields,
  },
  ['name'],
);
export const ServiceInstanceQuery = z.strictObject(fields);

const Name = z.string().min(1).max(255);
const Url = (schemes: readonly string[], what: string) =>
  z
    .string()
    .max(4096)
    .refine((text) => text === '' || (URL.canParse(text) && schemes.includes(new URL(text).protocol)), {
      error: `${what} must be a valid URL`,
    })
    .nullish();
const provided = {
  /** `cf update-user-provided-service -p '""'` sends null: none. */
  credentials: z.record(z.string(), z.unknown()).nullable().optional(),
  syslog_drain_url: Url(['syslog:', 'syslog-tls:', 'https:', 'http:'], 'Syslog drain url'),
  route_service_url: Url(['https:'], 'Route service url'),
  tags: z.array(z.string().max(2048)).max(100).optional(),
  metadata: MetadataInput,
};

export const CreateServiceInstance = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('user-provided'),
    name: Name,
    relationships: z.strictObject({ space: ToOneInput }),
    ...provided,
  }),
  // Read so far that it can be refused in a sentence.
  z.looseObject({ type: z.literal('managed') }),
]);
export const UpdateServiceInstance = z.strictObject({
  name: Name.optional(),
  ...provided,
  parameters: z.unknown().optional(),
});

const LastOperation = z.object({
  type: z.string(),
  state: z.string(),
  description: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

export const ServiceInstanceAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    type: z.string(),
    tags: z.array(z.string()),
    last_operation: LastOperation,
    syslog_drain_url: z.string().nullable(),
    route_service_url: z.string().nullable(),
    relationships: z.object({ space: ToOne }),
    metadata: Metadata,
    links: Links,
    included: z.record(z.string(), z.array(z.unknown())).optional(),
  })
  .describe('service instance');
export const ServiceInstances = listOf(ServiceInstanceAnswer);
export const Credentials = z.record(z.string(), z.unknown());

export const ServiceBindingsQuery = listQuery(
  {
    type: z.enum(['app', 'key']).optional(),
    names: texts.optional(),
    app_guids: texts.optional(),
    app_names: texts.optional(),
    service_instance_guids: texts.optional(),
    service_instance_names: texts.optional(),
    service_plan_guids: texts.optional(),
    service_plan_names: texts.optional(),
    service_offering_guids: texts.optional(),
    service_offering_names: texts.optional(),
    guids: texts.optional(),
    include: oneOrMoreOf(['app', 'service_instance']).optional(),
  },
  ['name'],
);
export const ServiceBindingQuery = z.strictObject({
  include: oneOrMoreOf(['app', 'service_instance']).optional(),
});

export const CreateServiceBinding = z.strictObject({
  type: z.enum(['app', 'key']),
  name: z.string().max(255).nullish(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  strategy: z.enum(['single', 'multiple']).optional(),
  relationships: z.strictObject({
    service_instance: z.strictObject({ data: z.strictObject({ guid: GuidText }) }),
    app: ToOneInput.optional(),
  }),
  metadata: MetadataInput,
});
export const UpdateServiceBinding = z.strictObject({ metadata: MetadataInput });

export const ServiceBindingAnswer = z
  .object({
    ...ResourceFields,
    name: z.string().nullable(),
    type: z.string(),
    last_operation: LastOperation,
    relationships: z.object({ app: ToOne, service_instance: ToOne }),
    metadata: Metadata,
    links: Links,
    included: z.record(z.string(), z.array(z.unknown())).optional(),
  })
  .describe('service credential binding');
export const ServiceBindings = listOf(ServiceBindingAnswer);
export const BindingDetails = z.object({
  credentials: Credentials,
  syslog_drain_url: z.string().optional(),
  volume_mounts: z.array(z.unknown()),
});
