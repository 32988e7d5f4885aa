import { newApp, SEES_SPACE } from '../../support/apps.ts';
import { emptyPackage, readyPackage } from '../../support/builds.ts';
import type { PermissionTable } from '../../support/permissions.ts';

const DEVELOPS = ['admin', 'space_developer'] as const;

export const packagePermissions: PermissionTable = {
  'GET /v3/packages': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: async (api) => emptyPackage(api, await newApp(api)),
    request: () => ({ path: '/v3/packages?per_page=5000' }),
  },
  'GET /v3/apps/:guid/packages': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/packages` }),
  },
  'GET /v3/packages/:guid': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/packages/${await emptyPackage(api, await newApp(api))}` }),
  },
  'POST /v3/packages': {
    status: 201,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    others: 422,
    request: async (api) => ({
      path: '/v3/packages',
      body: { type: 'bits', relationships: { app: { data: { guid: await newApp(api) } } } },
    }),
  },
  'PATCH /v3/packages/:guid': {
    status: 200,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({
      path: `/v3/packages/${await emptyPackage(api, await newApp(api))}`,
      body: { metadata: { labels: { a: 'b' } } },
    }),
  },
  'DELETE /v3/packages/:guid': {
    status: 202,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/packages/${await emptyPackage(api, await newApp(api))}` }),
  },
  // Whoever may is told that no part came; nobody else gets as far.
  'POST /v3/packages/:guid/upload': {
    status: 422,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/packages/${await emptyPackage(api, await newApp(api))}/upload` }),
  },
  'GET /v3/packages/:guid/download': {
    status: 302,
    may: ['admin', 'admin_read_only', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/packages/${await readyPackage(api, await newApp(api))}/download` }),
  },
  'POST /stager/v1/resource_matches': {
    status: 201,
    may: 'everyone',
    request: () => ({
      path: '/stager/v1/resource_matches',
      body: { files: [{ sha1: 'a'.repeat(40), size: 10 }] },
    }),
  },
  // Everybody is told of the spaces that they develop in.
  'POST /v3/resource_matches': {
    status: 201,
    may: 'everyone',
    request: () => ({
      path: '/v3/resource_matches',
      body: { resources: [{ checksum: { value: 'a'.repeat(40) }, size_in_bytes: 100_000, mode: '644' }] },
    }),
  },
};
