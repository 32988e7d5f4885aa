/** Stacks on the wire. */
import { z } from 'zod';
import { flag, listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { Links, listOf, Metadata, ResourceFields } from '../../route/present.ts';

export const StacksQuery = listQuery({ names: texts.optional(), default: flag.optional() }, ['name']);

const state = {
  state: z.enum(['ACTIVE', 'RESTRICTED', 'DEPRECATED', 'DISABLED']).optional(),
  state_reason: z.string().max(1000).nullable().optional(),
};

export const CreateStack = z.strictObject({
  name: z.string().min(1).max(250),
  description: z.string().max(250).nullable().optional(),
  ...state,
  metadata: MetadataInput,
});

export const UpdateStack = z.strictObject({ ...state, metadata: MetadataInput });

export const StackAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    description: z.string().nullable(),
    state: z.string(),
    state_reason: z.string().nullable(),
    default: z.boolean(),
    build_rootfs_image: z.string(),
    run_rootfs_image: z.string(),
    metadata: Metadata,
    links: Links,
  })
  .describe('stack');

export const Stacks = listOf(StackAnswer);
