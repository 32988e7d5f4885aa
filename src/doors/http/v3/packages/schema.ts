/** Packages and resource matches on the wire. */
import { z } from 'zod';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { GuidText, ToOneInput } from '../../route/params.ts';
import { Links, listOf, Metadata, ResourceFields, ToOne } from '../../route/present.ts';

const STATES = ['AWAITING_UPLOAD', 'PROCESSING_UPLOAD', 'READY', 'FAILED', 'COPYING', 'EXPIRED'] as const;

const ofApp = { states: oneOrMoreOf(STATES).optional(), types: oneOrMoreOf(['bits', 'docker']).optional() };

export const AppPackagesQuery = listQuery(ofApp, ['state']);

export const PackagesQuery = listQuery(
  {
    ...ofApp,
    app_guids: texts.optional(),
    space_guids: texts.optional(),
    organization_guids: texts.optional(),
  },
  ['state'],
);

/** With `source_guid` only the app is given. What `data` may hold depends on the type. */
export const CreatePackage = z.strictObject({
  type: z.enum(['bits', 'docker']).optional(),
  relationships: z.strictObject({ app: ToOneInput }),
  data: z.record(z.string(), z.unknown()).optional(),
  metadata: MetadataInput,
});

export const CreatePackageQuery = z.strictObject({ source_guid: GuidText.optional() });

const Password = z.string().max(5000, { error: 'docker_password can be up to 5,000 characters' });

export const UpdatePackage = z.strictObject({
  username: z.string().max(1000).nullish(),
  password: Password.nullish(),
  metadata: MetadataInput,
});

/** `data` of a docker package. */
export const DockerInput = z.strictObject({
  image: z.string({ error: 'Image required' }).min(1, { error: 'Image required' }).max(4096),
  username: z.string().max(1000).nullish(),
  password: Password.nullish(),
});

export const PackageAnswer = z
  .object({
    ...ResourceFields,
    type: z.string(),
    state: z.string(),
    data: z.union([
      z.object({
        error: z.string().nullable(),
        checksum: z.object({ type: z.string(), value: z.string().nullable() }),
      }),
      z.object({ image: z.string(), username: z.string().nullable(), password: z.string().nullable() }),
    ]),
    relationships: z.object({ app: ToOne }),
    metadata: Metadata,
    links: Links,
  })
  .describe('package');

export const Packages = listOf(PackageAnswer);

/** Cloud Controller takes 5,000. */
const MAX_MATCHES = 100_000;

const Entry = z.object({
  checksum: z.object({
    value: z.string().length(40, { error: 'must be a sha1 of 40 hexadecimal digits' }),
  }),
  size_in_bytes: z.int().min(0),
  path: z.string().optional(),
  mode: z
    .string()
    .regex(/^[0-7]{1,11}$/, { error: 'must be an octal number' })
    .optional(),
});

export const MatchInput = z.strictObject({ resources: z.array(Entry).min(1).max(MAX_MATCHES) });
/** Of our own clients: contents as sha1 and size, without the bounds of Cloud Controller's. */
export const OwnMatchInput = z.strictObject({
  files: z
    .array(
      z.strictObject({
        sha1: z.string().regex(/^[0-9a-f]{40}$/),
        size: z
          .int()
          .min(0)
          .max(2 ** 47),
      }),
    )
    .min(1)
    .max(MAX_MATCHES),
});
/** Positions in the list. */
export const OwnMatchAnswer = z.object({ known: z.array(z.int()) });
export const MatchAnswer = z.object({ resources: z.array(Entry) });
