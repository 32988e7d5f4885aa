import { type Api, resourcesIn } from '../../support/api.ts';
import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';

type Place = (api: Api) => Promise<string>;

const byGuid: Place = async (api) => {
  const app = await newApp(api);
  const [web] = resourcesIn(await api.ask('GET', `/v3/apps/${app}/processes`));
  return `/v3/processes/${String(web?.['guid'])}`;
};
const byType: Place = async (api) => `/v3/apps/${await newApp(api)}/processes/web`;

const read = (place: Place, path = ''): PermissionRow => ({
  status: 200,
  may: SEES_SPACE,
  request: async (api) => ({ path: `${await place(api)}${path}` }),
});
const change = (place: Place): PermissionRow => ({
  status: 200,
  may: ['admin', 'space_developer'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: await place(api), body: { command: 'true' } }),
});
const scale = (place: Place): PermissionRow => ({
  status: 202,
  may: ['admin', 'space_developer', 'space_supporter'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: `${await place(api)}/actions/scale`, body: { instances: 2 } }),
});

export const processPermissions: PermissionTable = {
  'GET /v3/processes': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: async (api) => {
      const [web] = resourcesIn(await api.ask('GET', `/v3/apps/${await newApp(api)}/processes`));
      return String(web?.['guid']);
    },
    request: () => ({ path: '/v3/processes?per_page=5000' }),
  },
  'GET /v3/apps/:guid/processes': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/processes` }),
  },
  'GET /v3/processes/:guid': read(byGuid),
  'PATCH /v3/processes/:guid': change(byGuid),
  'POST /v3/processes/:guid/actions/scale': scale(byGuid),
  'GET /v3/processes/:guid/stats': read(byGuid, '/stats'),
  'GET /v3/processes/:guid/process_instances': read(byGuid, '/process_instances'),
  'GET /v3/processes/:guid/sidecars': read(byGuid, '/sidecars'),
  'GET /v3/apps/:guid/processes/:type': read(byType),
  'PATCH /v3/apps/:guid/processes/:type': change(byType),
  'POST /v3/apps/:guid/processes/:type/actions/scale': scale(byType),
  'GET /v3/apps/:guid/processes/:type/stats': read(byType, '/stats'),
  'GET /v3/apps/:guid/sidecars': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/sidecars` }),
  },
};
