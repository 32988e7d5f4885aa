/** The little of v2 on the wire. */
import { z } from 'zod';
import { GuidText } from '../route/params.ts';

const number = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}$/, { error: 'must be a positive integer' })
    .transform((text) => Math.min(Number(text), most));

/** v2's own: pages of 50, at most 100. */
export const V2PageQuery = z.strictObject({
  page: number(1_000_000).default(1),
  'results-per-page': number(100).default(50),
});
export type V2PageQuery = z.output<typeof V2PageQuery>;

const Metadata = z.object({
  guid: z.string(),
  url: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

export function resourceSchemaOf<Entity extends z.ZodType>(entity: Entity) {
  return z.object({ metadata: Metadata, entity });
}

export function pageSchemaOf<Entity extends z.ZodType>(entity: Entity) {
  return z.object({
    total_results: z.int(),
    total_pages: z.int(),
    prev_url: z.string().nullable(),
    next_url: z.string().nullable(),
    resources: z.array(resourceSchemaOf(entity)),
  });
}

export const V2Stacks = pageSchemaOf(z.object({ name: z.string(), description: z.string().nullable() }));
const AppEntity = z.object({
  name: z.string(),
  space_guid: z.string(),
  state: z.string(),
  buildpack: z.string().nullable(),
});
export const V2App = resourceSchemaOf(AppEntity);
export const V2Apps = pageSchemaOf(AppEntity);
export const V2Space = resourceSchemaOf(z.object({ name: z.string(), organization_guid: z.string() }));

export const V2CreateSpace = z.strictObject({
  name: z.string().min(1).max(255),
  organization_guid: GuidText,
});

export const DeleteSpaceQuery = z.strictObject({
  recursive: z.enum(['true', 'false']).optional(),
  async: z.enum(['true', 'false']).optional(),
});

export const Info = z.object({
  name: z.string(),
  build: z.string(),
  support: z.string(),
  version: z.int(),
  description: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  api_version: z.string(),
});
