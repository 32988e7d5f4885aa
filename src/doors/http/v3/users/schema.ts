/** Users on the wire. */
import { z } from 'zod';
import { listQuery, texts } from '../../route/list-query.ts';
import { MetadataInput } from '../../route/metadata.ts';
import { Links, listOf, Metadata, ResourceFields } from '../../route/present.ts';

/** Guids of users are whatever their issuer says. */
export const UserGuid = z.string().min(1).max(200);
export const ByUserGuid = z.object({ guid: UserGuid });

export const UsersQuery = listQuery({
  usernames: texts.optional(),
  partial_usernames: texts.optional(),
  origins: texts.optional(),
}).superRefine((query, context) => {
  if (query.usernames !== undefined && query.partial_usernames !== undefined) {
    context.addIssue('Only one of usernames and partial_usernames can be used');
  }
});

export const CreateUser = z
  .strictObject({
    guid: UserGuid.optional(),
    username: z.string().min(1).max(255).optional(),
    origin: z.string().min(1).max(255).optional(),
    metadata: MetadataInput,
  })
  .superRefine(({ guid, username, origin }, context) => {
    if (guid !== undefined && (username !== undefined || origin !== undefined)) {
      context.addIssue('Field(s) username, origin cannot be used with guid');
    }
    if (guid === undefined && (username === undefined || origin === undefined)) {
      context.addIssue("Guid can't be blank, unless username and origin are given");
    }
  });

export const UpdateUser = z.strictObject({ metadata: MetadataInput });

export const UserAnswer = z
  .object({
    ...ResourceFields,
    username: z.string().nullable(),
    presentation_name: z.string(),
    origin: z.string().nullable(),
    metadata: Metadata,
    links: Links,
  })
  .describe('user');

export const Users = listOf(UserAnswer);
