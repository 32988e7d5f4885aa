/** Domains on the wire. */
import { z } from 'zod';
import { listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})+$`, 'i');

export const DomainsQuery = listQuery({
  names: texts.optional(),
  organization_guids: texts.optional(),
});
export const OrganizationDomainsQuery = listQuery({ names: texts.optional() });

export const CreateDomain = z.strictObject({
  name: z
    .string()
    .max(253)
    .refine((name) => NAME.test(name), {
      error: 'Name does not comply with RFC 1035 standards',
    }),
  internal: z.boolean().nullish(),
  router_group: z.unknown().optional(),
  relationships: z.strictObject({ organization: ToOneInput.optional() }).optional(),
  metadata: MetadataInput,
});

export const UpdateDomain = z.strictObject({ metadata: MetadataInput });

export const DomainAnswer = z
  .object({
    ...ResourceFields,
    name: z.string(),
    internal: z.boolean(),
    router_group: z.null(),
    supported_protocols: z.array(z.string()),
    relationships: z.object({
      organization: ToOne,
      shared_organizations: z.object({ data: z.array(z.object({ guid: z.string() })) }),
    }),
    metadata: Metadata,
    links: Links,
  })
  .describe('domain');
export const Domains = listOf(DomainAnswer);

export const ReservationQuery = z.strictObject({
  host: z.string().max(63).default(''),
  path: z.string().max(128).default(''),
  port: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .optional(),
});
export const Reservation = z.object({ matching_route: z.boolean() });
