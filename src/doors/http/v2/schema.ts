/** The little of v2 on the wire. */
import { z } from 'zod';
import { GuidText } from '../route/params.ts';

const number = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,6}$/, { error: 'must be a positive integer' })
    .transform((text) => Math.min(Number(text), most));

/** v2's own: pages of 50, at most 100. */
export const PageQuery = z.strictObject({
  page: number(1_000_000).default(1),
  'results-per-page': number(100).default(50),
});
export type PageQuery = z.output<typeof PageQuery>;

const Metadata = z.object({
  guid: z.string(),
  url: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

function resourceOf<Entity extends z.ZodType>(entity: Entity) {
  return z.object({ metadata: Metadata, entity });
}

function pageOf<Entity extends z.ZodType>(entity: Entity) {
  return z.object({
    total_results: z.int(),
    total_pages: z.int(),
    prev_url: z.string().nullable(),
    next_url: z.string().nullable(),
    resources: z.array(resourceOf(entity)),
  });
}

export const Stacks = pageOf(z.object({ name: z.string(), description: z.string().nullable() }));
export const Apps = pageOf(
  z.object({ name: z.string(), space_guid: z.string(), state: z.string(), buildpack: z.string().nullable() }),
);
export const Space = resourceOf(z.object({ name: z.string(), organization_guid: z.string() }));

export const CreateSpace = z.strictObject({
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
