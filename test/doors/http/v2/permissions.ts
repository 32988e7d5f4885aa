import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../src/service/state/schema-tenancy.ts';
import { newApp, newDroplet, SEES_SPACE } from '../support/apps.ts';
import { readyPackage } from '../support/builds.ts';
import type { PermissionTable } from '../support/permissions.ts';
import { newSpace } from '../v3/spaces/permissions.ts';

export const v2Permissions: PermissionTable = {
  'GET /v2/info': { status: 200, may: 'anyone', request: () => ({ path: '/v2/info' }) },
  'GET /v2/stacks': { status: 200, may: 'everyone', request: () => ({ path: '/v2/stacks' }) },
  'GET /v2/apps': { status: 200, may: 'everyone', request: () => ({ path: '/v2/apps' }) },
  'GET /v2/apps/:guid/droplet/download': {
    status: 302,
    may: ['admin', 'admin_read_only', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => {
      const app = await newApp(api);
      const body = { data: { guid: await newDroplet(api, app) } };
      await api.ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body });
      return { path: `/v2/apps/${app}/droplet/download` };
    },
  },
  'GET /v2/apps/:guid/download': {
    status: 302,
    may: ['admin', 'admin_read_only', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => {
      const app = await newApp(api);
      await readyPackage(api, app);
      return { path: `/v2/apps/${app}/download` };
    },
  },
  'POST /v2/spaces': {
    status: 201,
    may: ['admin', 'organization_manager'],
    forbidden: ['admin_read_only', 'global_auditor', ...ORGANIZATION_ROLES, ...SPACE_ROLES],
    request: ({ world }) => ({
      path: '/v2/spaces',
      body: { name: `space-${crypto.randomUUID()}`, organization_guid: world.organization },
    }),
  },
  'DELETE /v2/spaces/:guid': {
    status: 204,
    may: ['admin', 'organization_manager'],
    // One in which nobody has a role.
    forbidden: ['admin_read_only', 'global_auditor'],
    request: async (api) => ({ path: `/v2/spaces/${await newSpace(api)}` }),
  },
};
