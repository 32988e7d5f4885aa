import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../src/service/state/schema-tenancy.ts';
import { newApp, newDroplet, SEES_SPACE } from '../support/apps.ts';
import { readyPackage } from '../support/builds.ts';
import type { PermissionTable } from '../support/permissions.ts';
import { newBinding, newInstance } from '../support/services.ts';
import { newSpace } from '../v3/spaces/permissions.ts';

const DEVELOPS = { may: ['admin', 'space_developer'], forbidden: SEES_SPACE } as const;

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
  'GET /v2/apps/:guid': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v2/apps/${await newApp(api)}` }),
  },
  'GET /v2/service_bindings': {
    status: 200,
    may: 'everyone',
    request: () => ({ path: '/v2/service_bindings' }),
  },
  'GET /v2/services': { status: 200, may: 'everyone', request: () => ({ path: '/v2/services' }) },
  'GET /v2/user_provided_service_instances/:guid/service_bindings': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({
      path: `/v2/user_provided_service_instances/${await newInstance(api)}/service_bindings`,
    }),
  },
  'GET /v2/spaces/:guid/service_instances': {
    status: 200,
    may: SEES_SPACE,
    request: ({ world }) => ({ path: `/v2/spaces/${world.space}/service_instances` }),
  },
  'GET /v2/spaces/:guid/summary': {
    status: 200,
    may: SEES_SPACE,
    request: ({ world }) => ({ path: `/v2/spaces/${world.space}/summary` }),
  },
  'POST /v2/user_provided_service_instances': {
    ...DEVELOPS,
    status: 201,
    request: ({ world }) => ({
      path: '/v2/user_provided_service_instances',
      body: { name: `db-${crypto.randomUUID()}`, space_guid: world.space },
    }),
  },
  'PUT /v2/user_provided_service_instances/:guid': {
    ...DEVELOPS,
    status: 201,
    request: async (api) => ({
      path: `/v2/user_provided_service_instances/${await newInstance(api)}`,
      body: { tags: ['sql'] },
    }),
  },
  'DELETE /v2/service_instances/:guid': {
    ...DEVELOPS,
    status: 204,
    request: async (api) => ({ path: `/v2/service_instances/${await newInstance(api)}` }),
  },
  'POST /v2/service_bindings': {
    ...DEVELOPS,
    status: 201,
    request: async (api) => ({
      path: '/v2/service_bindings',
      body: { app_guid: await newApp(api), service_instance_guid: await newInstance(api) },
    }),
  },
  'DELETE /v2/service_bindings/:guid': {
    ...DEVELOPS,
    status: 204,
    request: async (api) => ({ path: `/v2/service_bindings/${await newBinding(api)}` }),
  },
  'DELETE /v2/spaces/:guid': {
    status: 204,
    may: ['admin', 'organization_manager'],
    // One in which nobody has a role.
    forbidden: ['admin_read_only', 'global_auditor'],
    request: async (api) => ({ path: `/v2/spaces/${await newSpace(api)}` }),
  },
};
