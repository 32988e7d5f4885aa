import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import { type Api, guidIn } from '../../support/api.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';
import { ADMINS } from '../../support/world.ts';

const everyone = (path: string): PermissionRow => ({
  status: 200,
  may: 'everyone',
  request: () => ({ path }),
});

async function newStack({ ask }: Api): Promise<string> {
  return guidIn(await ask('POST', '/v3/stacks', { body: { name: `stack-${crypto.randomUUID()}` } }));
}

export const platformPermissions: PermissionTable = {
  'GET /v3/feature_flags': everyone('/v3/feature_flags'),
  'GET /v3/feature_flags/:name': everyone('/v3/feature_flags/route_creation'),
  'PATCH /v3/feature_flags/:name': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/v3/feature_flags/task_creation', body: { enabled: true } }),
  },
  'GET /v3/organization_quotas': everyone('/v3/organization_quotas'),
  'GET /v3/organization_quotas/:guid': {
    status: 200,
    may: 'everyone',
    request: () => ({ path: '/v3/organization_quotas/00000000-0000-4000-8000-00000000de0a' }),
  },
  'GET /v3/space_quotas': everyone('/v3/space_quotas'),
  'GET /v3/isolation_segments': everyone('/v3/isolation_segments'),
  'GET /v3/security_groups': everyone('/v3/security_groups'),
  'GET /v3/organizations/:guid/relationships/default_isolation_segment': {
    status: 200,
    may: [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES],
    request: ({ world }) => ({
      path: `/v3/organizations/${world.organization}/relationships/default_isolation_segment`,
    }),
  },
  'GET /v3/stacks': everyone('/v3/stacks'),
  'GET /v3/stacks/:guid': {
    status: 200,
    may: 'everyone',
    request: async (api) => ({ path: `/v3/stacks/${await newStack(api)}` }),
  },
  'GET /v3/stacks/:guid/apps': {
    status: 200,
    may: 'everyone',
    request: async (api) => ({ path: `/v3/stacks/${await newStack(api)}/apps` }),
  },
  'POST /v3/stacks': {
    status: 201,
    may: ['admin'],
    others: 403,
    request: () => ({ path: '/v3/stacks', body: { name: `stack-${crypto.randomUUID()}` } }),
  },
  'PATCH /v3/stacks/:guid': {
    status: 200,
    may: ['admin'],
    others: 403,
    request: async (api) => ({ path: `/v3/stacks/${await newStack(api)}`, body: { metadata: {} } }),
  },
  'DELETE /v3/stacks/:guid': {
    status: 204,
    may: ['admin'],
    others: 403,
    request: async (api) => ({ path: `/v3/stacks/${await newStack(api)}` }),
  },
};
