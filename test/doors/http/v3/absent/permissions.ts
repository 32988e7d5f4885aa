import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';

const none = (path: string): PermissionRow => ({ status: 200, may: 'everyone', request: () => ({ path }) });
const noneOfApp = (path: string): PermissionRow => ({
  status: 200,
  may: SEES_SPACE,
  request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/${path}` }),
});

export const absentPermissions: PermissionTable = {
  'GET /v3/service_brokers': none('/v3/service_brokers'),
  'GET /v3/service_offerings': none('/v3/service_offerings'),
  'GET /v3/service_plans': none('/v3/service_plans'),
  'GET /v3/service_route_bindings': none('/v3/service_route_bindings'),
  'GET /v3/deployments': none('/v3/deployments'),
  'GET /v3/tasks': none('/v3/tasks'),
  'GET /v3/apps/:guid/tasks': noneOfApp('tasks'),
  'GET /v3/apps/:guid/revisions': noneOfApp('revisions'),
  'GET /v3/apps/:guid/revisions/deployed': noneOfApp('revisions/deployed'),
  'POST /v3/apps/:guid/tasks': {
    status: 422,
    may: ['admin', 'space_developer', 'space_supporter'],
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/tasks`, body: { command: 'true' } }),
  },
  'POST /v3/deployments': {
    status: 422,
    may: 'everyone',
    request: () => ({ path: '/v3/deployments', body: {} }),
  },
};
