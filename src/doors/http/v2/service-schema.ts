/** User-provided services in v2, as `cf` of version 7 speaks of them. */
import { z } from 'zod';
import { GuidText } from '../route/params.ts';
import { pageSchemaOf, resourceSchemaOf, V2PageQuery } from './schema.ts';

/** `q=name:NAME`, several as several `q` or behind semicolons. */
export const FilteredQuery = V2PageQuery.extend({
  q: z.string().max(1000).optional(),
  'inline-relations-depth': z.string().max(5).optional(),
  return_user_provided_service_instances: z.enum(['true', 'false']).optional(),
});
export type FilteredQuery = z.output<typeof FilteredQuery>;

const url = z.string().max(4096).nullish();
const fields = {
  credentials: z.record(z.string(), z.unknown()).nullish(),
  syslog_drain_url: url,
  route_service_url: url,
  tags: z.array(z.string().max(2048)).max(100).nullish(),
};
const Name = z.string().min(1).max(255);
/** `cf` sends what its struct has, empty texts for what was not said. */
export const CreateInstance = z.object({ name: Name, space_guid: GuidText, ...fields });
export const UpdateInstance = z.object({ name: z.string().max(255).optional(), ...fields });
export const CreateBinding = z.object({
  app_guid: GuidText,
  service_instance_guid: GuidText,
  name: z.string().max(255).nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
});
export const Incomplete = z.strictObject({
  accepts_incomplete: z.string().max(5).optional(),
  async: z.string().max(5).optional(),
  recursive: z.string().max(5).optional(),
});

const BindingEntity = z.object({
  app_guid: z.string().nullable(),
  service_instance_guid: z.string(),
  name: z.string().nullable(),
});
export const V2Binding = resourceSchemaOf(BindingEntity);
const LastOperation = z.object({
  type: z.string(),
  state: z.string(),
  description: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});
const InstanceEntity = z.object({
  name: z.string(),
  space_guid: z.string(),
  type: z.string(),
  tags: z.array(z.string()),
  last_operation: LastOperation,
  service_bindings: z.array(V2Binding),
  service_keys: z.array(z.unknown()),
});
export const V2Instance = resourceSchemaOf(InstanceEntity);
export const V2Instances = pageSchemaOf(InstanceEntity);
export const V2Bindings = pageSchemaOf(BindingEntity);
export const V2Services = pageSchemaOf(z.object({ label: z.string() }));
export const V2Summary = z.object({
  guid: z.string(),
  name: z.string(),
  apps: z.array(z.object({ guid: z.string(), name: z.string(), service_names: z.array(z.string()) })),
  services: z.array(
    z.object({
      guid: z.string(),
      name: z.string(),
      type: z.string(),
      bound_app_count: z.int(),
      last_operation: z.object({ type: z.string(), state: z.string(), description: z.string() }),
    }),
  ),
});
