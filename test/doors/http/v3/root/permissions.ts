import type { PermissionTable } from '../../support/permissions.ts';

export const rootPermissions: PermissionTable = {
  'GET /': { status: 200, may: 'anyone', request: () => ({ path: '/' }) },
  'GET /v3': { status: 200, may: 'anyone', request: () => ({ path: '/v3' }) },
  'GET /v3/info': { status: 200, may: 'anyone', request: () => ({ path: '/v3/info' }) },
};
