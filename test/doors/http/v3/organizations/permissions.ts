import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import { type Api, guidIn } from '../../support/api.ts';
import type { PermissionTable } from '../../support/permissions.ts';
import { ADMINS } from '../../support/world.ts';

const SEES = [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES];

const newName = (): string => `org-${crypto.randomUUID()}`;

async function doomed(api: Api): Promise<string> {
  return guidIn(await api.ask('POST', '/v3/organizations', { body: { name: newName() } }));
}

export const organizationPermissions: PermissionTable = {
  'GET /v3/organizations': {
    status: 200,
    may: 'everyone',
    sees: SEES,
    listed: ({ world }) => world.organization,
    request: () => ({ path: '/v3/organizations?per_page=5000' }),
  },
  'GET /v3/organizations/:guid': {
    status: 200,
    may: SEES,
    request: ({ world }) => ({ path: `/v3/organizations/${world.organization}` }),
  },
  'POST /v3/organizations': {
    status: 201,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/v3/organizations', body: { name: newName() } }),
  },
  'PATCH /v3/organizations/:guid': {
    status: 200,
    may: ['admin', 'organization_manager'],
    forbidden: SEES,
    request: ({ world }) => ({
      path: `/v3/organizations/${world.organization}`,
      body: { metadata: { labels: { seen: 'yes' } } },
    }),
  },
  'DELETE /v3/organizations/:guid': {
    status: 202,
    may: ['admin'],
    // One that nobody has a role in: whoever sees everything is forbidden.
    forbidden: ['admin_read_only', 'global_auditor'],
    request: async (api) => ({ path: `/v3/organizations/${await doomed(api)}` }),
  },
};
