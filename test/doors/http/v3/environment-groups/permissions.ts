import type { PermissionTable } from '../../support/permissions.ts';

const path = '/v3/environment_variable_groups/staging';

export const environmentGroupPermissions: PermissionTable = {
  'GET /v3/environment_variable_groups/:name': { status: 200, may: 'everyone', request: () => ({ path }) },
  'PATCH /v3/environment_variable_groups/:name': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: () => ({ path, body: { var: { SEEN: 'yes' } } }),
  },
};
