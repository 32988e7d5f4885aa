import type { PermissionTable } from '../support/permissions.ts';

export const operationPermissions: PermissionTable = {
  'GET /healthz': { status: 200, may: 'anyone', request: () => ({ path: '/healthz' }) },
  'GET /readyz': { status: 200, may: 'anyone', request: () => ({ path: '/readyz' }) },
  'GET /metrics': { status: 200, may: 'anyone', request: () => ({ path: '/metrics' }) },
};
