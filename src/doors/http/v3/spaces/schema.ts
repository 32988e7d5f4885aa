/** Spaces on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';
import { OrganizationAnswer } from '../organizations/schema.ts';

const Name = z.string().min(1).max(255);
const include = oneOrMoreOf(['organization', 'org']).optional();

export const SpacesQuery = listQuery(
  { names: texts.optional(), organization_guids: texts.optional(), include },
  ['name'],
);
export const SpaceQuery = z.strictObject({ include });

export const CreateSpace = z.strictObject({
  name: Name,
  relationships: z.strictObject({ organization: ToOneInput }),
  metadata: MetadataInput,
});

export const UpdateSpace = z.strictObject({ name: Name.optional(), metadata: MetadataInput });

const fields = {
  ...ResourceFields,
  name: z.string(),
  relationships: z.object({ organization: ToOne, quota: ToOne }),
  metadata: Metadata,
  links: Links,
};
const included = z.object({ organizations: z.array(OrganizationAnswer) }).optional();

export const SpaceAnswer = z.object({ ...fields, included }).describe('space');
export const Spaces = listOf(z.object(fields));

export const SpaceFeature = z.object({ name: z.string(), description: z.string(), enabled: z.boolean() });
export const SpaceFeatures = z.object({ resources: z.array(SpaceFeature) });
export const UpdateFeature = z.strictObject({ enabled: z.boolean() });
