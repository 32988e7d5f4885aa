import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import { type Api, guidIn } from '../../support/api.ts';
import type { PermissionTable } from '../../support/permissions.ts';
import { ADMINS, SIGNED_IN } from '../../support/world.ts';

const SEES_ORGANIZATION = [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES] as const;
const EVERYBODY_ELSE = SIGNED_IN.filter((actor) => actor !== 'admin');

async function newUser({ ask }: Api): Promise<string> {
  return guidIn(await ask('POST', '/v3/users', { body: { guid: crypto.randomUUID() } }));
}

export const userPermissions: PermissionTable = {
  'GET /v3/users': {
    status: 200,
    may: 'everyone',
    sees: SEES_ORGANIZATION,
    listed: ({ world }) => world.users.space_auditor.guid,
    request: () => ({ path: '/v3/users?per_page=5000' }),
  },
  'GET /v3/users/:guid': {
    status: 200,
    may: SEES_ORGANIZATION,
    request: ({ world }) => ({ path: `/v3/users/${world.users.space_auditor.guid}` }),
  },
  'GET /v3/organizations/:guid/users': {
    status: 200,
    may: SEES_ORGANIZATION,
    request: ({ world }) => ({ path: `/v3/organizations/${world.organization}/users` }),
  },
  'POST /v3/users': {
    status: 201,
    may: ['admin'],
    forbidden: EVERYBODY_ELSE,
    request: () => ({ path: '/v3/users', body: { guid: crypto.randomUUID() } }),
  },
  'PATCH /v3/users/:guid': {
    status: 200,
    may: ['admin'],
    forbidden: SEES_ORGANIZATION,
    request: ({ world }) => ({
      path: `/v3/users/${world.users.space_auditor.guid}`,
      body: { metadata: { labels: { seen: 'yes' } } },
    }),
  },
  'DELETE /v3/users/:guid': {
    status: 202,
    may: ['admin'],
    forbidden: ['admin_read_only', 'global_auditor'],
    request: async (api) => ({ path: `/v3/users/${await newUser(api)}` }),
  },
};
