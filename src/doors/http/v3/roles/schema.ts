/** Roles on the wire. */
import { z } from 'zod';
import { ROLES } from '../../../../service/state/schema-tenancy.ts';
import { listQuery, oneOrMoreOf, texts } from '../../route/list-query.ts';
import { ToOneInput } from '../../route/params.ts';
import { Links, listOf, ResourceFields, ToOne } from '../../route/present.ts';
import { OrganizationAnswer } from '../organizations/schema.ts';
import { Spaces } from '../spaces/schema.ts';
import { UserAnswer, UserGuid } from '../users/schema.ts';

const include = oneOrMoreOf(['user', 'organization', 'space']).optional();

export const RolesQuery = listQuery({
  types: oneOrMoreOf(ROLES).optional(),
  user_guids: texts.optional(),
  organization_guids: texts.optional(),
  space_guids: texts.optional(),
  include,
}).omit({ label_selector: true });
export const RoleQuery = z.strictObject({ include });

/** A user by guid, or by name; without an origin the name must mean one user only. */
const UserInput = z.strictObject({
  data: z.strictObject({
    guid: UserGuid.optional(),
    username: z.string().min(1).max(255).optional(),
    origin: z.string().min(1).max(255).optional(),
  }),
});

export const CreateRole = z
  .strictObject({
    type: z.enum(ROLES),
    relationships: z.strictObject({
      user: UserInput,
      organization: ToOneInput.optional(),
      space: ToOneInput.optional(),
    }),
  })
  .superRefine(({ type, relationships }, context) => {
    const wanted = type.startsWith('organization_') ? 'organization' : 'space';
    const other = wanted === 'organization' ? 'space' : 'organization';
    if (relationships[wanted] === undefined)
      context.addIssue(
        `Role with type '${type}' must be associated with ${wanted === 'space' ? 'a space' : 'an organization'}.`,
      );
    if (relationships[other] !== undefined)
      context.addIssue('Role cannot be associated with both an organization and a space.');
    const { guid, username, origin } = relationships.user.data;
    if (guid === undefined && username === undefined) context.addIssue('User guid or username must be given');
    if (guid !== undefined && (username !== undefined || origin !== undefined))
      context.addIssue('User guid cannot be given with a username or an origin');
  });

const fields = {
  ...ResourceFields,
  type: z.enum(ROLES),
  relationships: z.object({ user: ToOne, organization: ToOne, space: ToOne }),
  links: Links,
};
const Included = z.object({
  users: z.array(UserAnswer).optional(),
  organizations: z.array(OrganizationAnswer).optional(),
  spaces: Spaces.shape.resources.optional(),
});

export const RoleAnswer = z.object({ ...fields, included: Included.optional() }).describe('role');
export const Roles = listOf(z.object(fields));
