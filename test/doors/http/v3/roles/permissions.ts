import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import { type Api, guidIn } from '../../support/api.ts';
import type { PermissionTable } from '../../support/permissions.ts';
import { ADMINS } from '../../support/world.ts';

const SEES_SPACE = [...ADMINS, 'organization_manager', ...SPACE_ROLES] as const;

/** A user of the organization, and its role there. */
async function newMember({ ask, world }: Api): Promise<{ user: string; role: string }> {
  const user = guidIn(await ask('POST', '/v3/users', { body: { guid: crypto.randomUUID() } }));
  const role = await ask('POST', '/v3/roles', {
    body: {
      type: 'organization_user',
      relationships: { user: { data: { guid: user } }, organization: { data: { guid: world.organization } } },
    },
  });
  return { user, role: guidIn(role) };
}

const inSpace = ({ world }: Api, user: string) => ({
  type: 'space_auditor',
  relationships: { user: { data: { guid: user } }, space: { data: { guid: world.space } } },
});

export const rolePermissions: PermissionTable = {
  'GET /v3/roles': {
    status: 200,
    may: 'everyone',
    sees: [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES],
    listed: async (api) => (await newMember(api)).role,
    request: () => ({ path: '/v3/roles?per_page=5000&types=organization_user' }),
  },
  'GET /v3/roles/:guid': {
    status: 200,
    may: [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES],
    request: async (api) => ({ path: `/v3/roles/${(await newMember(api)).role}` }),
  },
  'POST /v3/roles': {
    status: 201,
    may: ['admin', 'organization_manager', 'space_manager'],
    forbidden: SEES_SPACE,
    // A space that is not visible can't be named.
    others: 422,
    request: async (api) => ({ path: '/v3/roles', body: inSpace(api, (await newMember(api)).user) }),
  },
  'DELETE /v3/roles/:guid': {
    status: 202,
    may: ['admin', 'organization_manager', 'space_manager'],
    forbidden: SEES_SPACE,
    request: async (api) => {
      const { user } = await newMember(api);
      const role = await api.ask('POST', '/v3/roles', { body: inSpace(api, user) });
      return { path: `/v3/roles/${guidIn(role)}` };
    },
  },
};
