import type { Api } from '../../support/api.ts';
import { guidIn } from '../../support/api.ts';
import { newApp, SEES_SPACE } from '../../support/apps.ts';
import { readyPackage, staged } from '../../support/builds.ts';
import type { PermissionTable } from '../../support/permissions.ts';

const DEVELOPS = ['admin', 'space_developer'] as const;

async function newBuild(api: Api): Promise<string> {
  return guidIn(await staged(api, await readyPackage(api, await newApp(api))));
}

export const buildPermissions: PermissionTable = {
  'GET /v3/builds': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: newBuild,
    request: () => ({ path: '/v3/builds?per_page=5000' }),
  },
  'GET /v3/apps/:guid/builds': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/builds` }),
  },
  'GET /v3/builds/:guid': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/builds/${await newBuild(api)}` }),
  },
  'POST /v3/builds': {
    status: 201,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    others: 422,
    request: async (api) => ({
      path: '/v3/builds',
      body: { package: { guid: await readyPackage(api, await newApp(api)) } },
    }),
  },
  'PATCH /v3/builds/:guid': {
    status: 200,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({
      path: `/v3/builds/${await newBuild(api)}`,
      body: { metadata: { labels: { a: 'b' } } },
    }),
  },
  'GET /v3/builds/:guid/logs': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/builds/${await newBuild(api)}/logs` }),
  },
  'GET /stager/v1/builds/:guid/events': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/stager/v1/builds/${await newBuild(api)}/events` }),
  },
  'GET /api/v1/meta': { status: 200, may: 'everyone', request: () => ({ path: '/api/v1/meta' }) },
  'GET /api/v1/info': { status: 200, may: 'anyone', request: () => ({ path: '/api/v1/info' }) },
  'GET /api/v1/read/:source_id': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/api/v1/read/${await newApp(api)}` }),
  },
};
