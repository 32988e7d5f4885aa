/** Organizations on the wire. */
import { z } from 'zod';
import { listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const Name = z.string().min(1).max(255);

export const OrganizationsQuery = listQuery({ names: texts.optional() }, ['name']);

export const CreateOrganization = z.strictObject({
  name: Name,
  suspended: z.boolean().optional(),
  metadata: MetadataInput,
});

export const UpdateOrganization = CreateOrganization.partial();

export const OrganizationAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    suspended: z.boolean(),
    relationships: z.object({ quota: ToOne }),
    metadata: Metadata,
    links: Links,
  })
  .describe('organization');

export const Organizations = listOf(OrganizationAnswer);
