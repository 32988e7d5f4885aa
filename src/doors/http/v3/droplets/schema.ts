/** Droplets on the wire. */
import { z } from 'zod';
import { flag, listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { GuidText, ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const STATES = [
  'AWAITING_UPLOAD',
  'PROCESSING_UPLOAD',
  'STAGED',
  'FAILED',
  'COPYING',
  'EXPIRED',
  'STAGING',
] as const;
const states = oneOrMoreOf(STATES).optional();

export const DropletsQuery = listQuery({
  states,
  app_guids: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
});
export const AppDropletsQuery = listQuery({ states, current: flag.optional() });
export const PackageDropletsQuery = listQuery({ states });

const ProcessTypes = z.record(z.string().min(1).max(255), z.string().max(4096));

export const CreateDroplet = z.strictObject({
  relationships: z.strictObject({ app: ToOneInput }),
  process_types: ProcessTypes.optional(),
  metadata: MetadataInput,
});

export const CreateDropletQuery = z.strictObject({ source_guid: GuidText.optional() });

export const UpdateDroplet = z.strictObject({
  image: z.string().max(4096).optional(),
  process_types: ProcessTypes.optional(),
  metadata: MetadataInput,
});

export const DropletAnswer = z
  .object({
    ...ResourceFields,
    state: z.string(),
    error: z.string().nullable(),
    lifecycle: z.object({ type: z.string(), data: z.object({}) }),
    checksum: z.object({ type: z.string(), value: z.string() }).nullable(),
    buildpacks: z
      .array(
        z.object({
          name: z.string(),
          detect_output: z.string().nullable(),
          buildpack_name: z.string().nullable(),
          version: z.string().nullable(),
        }),
      )
      .nullable(),
    stack: z.string().nullable(),
    image: z.string().nullable(),
    execution_metadata: z.string(),
    process_types: z.record(z.string(), z.string()),
    relationships: z.object({ app: ToOne }),
    metadata: Metadata,
    links: Links,
  })
  .describe('droplet');

export const Droplets = listOf(DropletAnswer);
