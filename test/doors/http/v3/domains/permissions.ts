import { ORGANIZATION_ROLES, SPACE_ROLES } from '../../../../../src/service/state/schema-tenancy.ts';
import type { PermissionTable } from '../../support/permissions.ts';
import { newDomain, sharedDomain } from '../../support/routing.ts';
import { ADMINS } from '../../support/world.ts';

const SEES_ORGANIZATION = [...ADMINS, ...ORGANIZATION_ROLES, ...SPACE_ROLES];

export const domainPermissions: PermissionTable = {
  'GET /v3/domains': {
    status: 200,
    may: 'everyone',
    sees: SEES_ORGANIZATION,
    listed: (api) => newDomain(api, api.world.organization),
    request: () => ({ path: '/v3/domains?per_page=5000' }),
  },
  'GET /v3/organizations/:guid/domains': {
    status: 200,
    may: SEES_ORGANIZATION,
    request: ({ world }) => ({ path: `/v3/organizations/${world.organization}/domains` }),
  },
  'GET /v3/organizations/:guid/domains/default': {
    status: 200,
    may: SEES_ORGANIZATION,
    request: ({ world }) => ({ path: `/v3/organizations/${world.organization}/domains/default` }),
  },
  'GET /v3/domains/:guid': {
    status: 200,
    may: SEES_ORGANIZATION,
    request: async (api) => ({ path: `/v3/domains/${await newDomain(api, api.world.organization)}` }),
  },
  'POST /v3/domains': {
    status: 201,
    may: ['admin', 'organization_manager'],
    forbidden: SEES_ORGANIZATION,
    others: 422,
    request: ({ world }) => ({
      path: '/v3/domains',
      body: {
        name: `d${crypto.randomUUID()}.test`,
        relationships: { organization: { data: { guid: world.organization } } },
      },
    }),
  },
  'PATCH /v3/domains/:guid': {
    status: 200,
    may: ['admin', 'organization_manager'],
    forbidden: SEES_ORGANIZATION,
    request: async (api) => ({
      path: `/v3/domains/${await newDomain(api, api.world.organization)}`,
      body: { metadata: { labels: { seen: 'yes' } } },
    }),
  },
  'DELETE /v3/domains/:guid': {
    status: 202,
    may: ['admin'],
    others: 403,
    request: async (api) => ({ path: `/v3/domains/${await newDomain(api)}` }),
  },
  'GET /v3/domains/:guid/route_reservations': {
    status: 200,
    may: 'everyone',
    request: async (api) => ({ path: `/v3/domains/${await sharedDomain(api)}/route_reservations?host=x` }),
  },
};
