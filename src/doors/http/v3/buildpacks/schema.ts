/** Buildpacks on the wire. */
import { z } from 'zod';
import { listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { Links, listOf, Metadata, ResourceFields } from '../../route/present.ts';

const Name = z
  .string({ error: 'must be a string' })
  .min(1)
  .max(250)
  .regex(/^[\w-]+$/, { error: 'Name can only contain alphanumeric characters, underscores, and dashes' });

const fields = {
  stack: z.string().min(1).max(250).nullish(),
  position: z.int().min(1).optional(),
  enabled: z.boolean().optional(),
  locked: z.boolean().optional(),
  metadata: MetadataInput,
};

export const BuildpacksQuery = listQuery(
  {
    names: texts.optional(),
    stacks: texts.optional(),
    lifecycle: z.enum(['buildpack', 'cnb']).optional(),
  },
  ['position', 'name', 'lifecycle'],
  'position',
);

/** Cloud native ones are parsed, so that they can be refused with a sentence. */
export const CreateBuildpack = z.strictObject({
  name: Name,
  lifecycle: z.enum(['buildpack', 'cnb']).optional(),
  ...fields,
});

export const UpdateBuildpack = z.strictObject({ name: Name.optional(), ...fields });

export const BuildpackAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    stack: z.string().nullable(),
    state: z.string(),
    filename: z.string().nullable(),
    lifecycle: z.string(),
    position: z.int(),
    enabled: z.boolean(),
    locked: z.boolean(),
    metadata: Metadata,
    links: Links,
  })
  .describe('buildpack');

export const Buildpacks = listOf(BuildpackAnswer);
