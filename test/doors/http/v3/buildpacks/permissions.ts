import { type Api, guidIn } from '../../support/api.ts';
import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';
import { SIGNED_IN } from '../../support/world.ts';

async function newBuildpack(api: Api): Promise<string> {
  return guidIn(await api.ask('POST', '/v3/buildpacks', { body: { name: crypto.randomUUID() } }));
}

const read = (path: (api: Api) => Promise<string> | string): PermissionRow => ({
  status: 200,
  may: 'everyone',
  request: async (api) => ({ path: await path(api) }),
});
const administer = (status: number, request: PermissionRow['request']): PermissionRow => ({
  status,
  may: ['admin'],
  forbidden: SIGNED_IN,
  request,
});

export const buildpackPermissions: PermissionTable = {
  'GET /v3/buildpacks': read(() => '/v3/buildpacks'),
  'GET /v3/buildpacks/:guid': read(async (api) => `/v3/buildpacks/${await newBuildpack(api)}`),
  'POST /v3/buildpacks': administer(201, () => ({
    path: '/v3/buildpacks',
    body: { name: crypto.randomUUID() },
  })),
  'PATCH /v3/buildpacks/:guid': administer(200, async (api) => ({
    path: `/v3/buildpacks/${await newBuildpack(api)}`,
    body: { enabled: false },
  })),
  'DELETE /v3/buildpacks/:guid': administer(202, async (api) => ({
    path: `/v3/buildpacks/${await newBuildpack(api)}`,
  })),
  // An admin is told that no part came; nobody else gets as far.
  'POST /v3/buildpacks/:guid/upload': administer(422, async (api) => ({
    path: `/v3/buildpacks/${await newBuildpack(api)}/upload`,
  })),
  'POST /v3/apps/:guid/actions/clear_buildpack_cache': {
    status: 202,
    may: ['admin', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/actions/clear_buildpack_cache` }),
  },
  'POST /v3/admin/actions/clear_buildpack_cache': administer(202, () => ({
    path: '/v3/admin/actions/clear_buildpack_cache',
  })),
};
