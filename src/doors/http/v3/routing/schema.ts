/** Routes and destinations on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { GuidText, ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const Options = z.record(z.string(), z.string().nullable());

const include = oneOrMoreOf(['domain', 'space', 'space.organization']).optional();

export const RouteQuery = z.strictObject({ include });
export const RoutesQuery = listQuery({
  app_guids: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
  domain_guids: texts.optional(),
  hosts: texts.optional(),
  paths: texts.optional(),
  ports: texts.optional(),
  service_instance_guids: texts.optional(),
  include,
});
export const AppRoutesQuery = listQuery({
  hosts: texts.optional(),
  paths: texts.optional(),
  ports: texts.optional(),
  domain_guids: texts.optional(),
  space_guids: texts.optional(),
  organization_guids: texts.optional(),
  include,
});

export const CreateRoute = z.strictObject({
  host: z
    .string()
    .max(63, { error: 'Host is too long (maximum is 63 characters)' })
    .refine((host) => /^(?:\*|[\p{L}\p{N}_](?:[\p{L}\p{N}_-]*[\p{L}\p{N}_])?)?$/u.test(host), {
      error: 'Host must be either "*" or contain only alphanumeric characters, "_", or "-"',
    })
    .default(''),
  path: z
    .string()
    .max(128, { error: 'Path is too long (maximum is 128 characters)' })
    .refine((path) => path === '' || (/^\/[^?]+$/.test(path) && path !== '/'), {
      error: "Path must begin with '/', and has no '?'",
    })
    .default(''),
  port: z.int().nullish(),
  options: Options.optional(),
  relationships: z.strictObject({ space: ToOneInput, domain: ToOneInput }),
  metadata: MetadataInput,
});

export const UpdateRoute = z.strictObject({ options: Options.optional(), metadata: MetadataInput });

const DestinationInput = z.strictObject({
  guid: GuidText.optional(),
  app: z.strictObject({
    guid: GuidText,
    process: z.strictObject({ type: z.string().min(1).max(255) }).optional(),
  }),
  port: z.int().min(1).max(65_535).nullish(),
  weight: z.null().optional(),
  protocol: z.enum(['http1', 'http2', 'tcp']).nullish(),
});
export const DestinationsInput = z.strictObject({ destinations: z.array(DestinationInput).max(100) });

const Destination = z.object({
  guid: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
  app: z.object({ guid: z.string(), process: z.object({ type: z.string() }) }),
  weight: z.null(),
  port: z.int(),
  protocol: z.string(),
});

export const Destinations = z.object({ destinations: z.array(Destination), links: Links });

export const RouteAnswer = z
  .object({
    ...ResourceFields,
    protocol: z.string(),
    host: z.string(),
    path: z.string(),
    port: z.int().nullable(),
    url: z.string(),
    destinations: z.array(Destination),
    options: z.record(z.string(), z.string()),
    relationships: z.object({ space: ToOne, domain: ToOne }),
    metadata: Metadata,
    links: Links,
    included: z.record(z.string(), z.array(z.unknown())).optional(),
  })
  .describe('route');
export const Routes = listOf(RouteAnswer);

export const ByDestination = z.object({ guid: GuidText, destination: GuidText });
export const UnmappedQuery = z.strictObject({ unmapped: z.literal('true') });
