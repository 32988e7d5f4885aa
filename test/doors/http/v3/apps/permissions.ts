import { newApp, newDroplet, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';

const read = (path: string): PermissionRow => ({
  status: 200,
  may: SEES_SPACE,
  request: async (api) => ({ path: `/v3/apps/${await newApp(api)}${path}` }),
});
const secret = (path: string): PermissionRow => ({
  ...read(path),
  may: ['admin', 'admin_read_only', 'space_developer'],
  forbidden: SEES_SPACE,
});
const develop = (path: string, body: unknown): PermissionRow => ({
  status: 200,
  may: ['admin', 'space_developer'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: `/v3/apps/${await newApp(api)}${path}`, body }),
});
const operate = (path: string, status = 200): PermissionRow => ({
  status,
  may: ['admin', 'space_developer', 'space_supporter'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: `/v3/apps/${await newApp(api)}${path}` }),
});

export const appPermissions: PermissionTable = {
  'GET /v3/apps': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: (api) => newApp(api),
    request: () => ({ path: '/v3/apps?per_page=5000' }),
  },
  'GET /v3/apps/:guid': read(''),
  'POST /v3/apps': {
    status: 201,
    may: ['admin', 'space_developer'],
    forbidden: SEES_SPACE,
    // A space that is not seen is not said to be there.
    others: 422,
    request: ({ world }) => ({
      path: '/v3/apps',
      body: {
        name: crypto.randomUUID(),
        relationships: { space: { data: { guid: world.space } } },
      },
    }),
  },
  'PATCH /v3/apps/:guid': develop('', { metadata: { labels: { seen: 'yes' } } }),
  'DELETE /v3/apps/:guid': { ...develop('', undefined), status: 202 },
  'GET /v3/apps/:guid/environment_variables': secret('/environment_variables'),
  'PATCH /v3/apps/:guid/environment_variables': develop('/environment_variables', { var: { A: 'b' } }),
  'GET /v3/apps/:guid/env': secret('/env'),
  'GET /v3/apps/:guid/relationships/current_droplet': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => {
      const app = await newApp(api);
      const path = `/v3/apps/${app}/relationships/current_droplet`;
      await api.ask('PATCH', path, { body: { data: { guid: await newDroplet(api, app) } } });
      return { path };
    },
  },
  'PATCH /v3/apps/:guid/relationships/current_droplet': {
    status: 200,
    may: ['admin', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => {
      const app = await newApp(api);
      return {
        path: `/v3/apps/${app}/relationships/current_droplet`,
        body: { data: { guid: await newDroplet(api, app) } },
      };
    },
  },
  'POST /v3/apps/:guid/actions/stop': operate('/actions/stop'),
  'POST /v3/apps/:guid/actions/start': operate('/actions/start', 422),
  'POST /v3/apps/:guid/actions/restart': operate('/actions/restart', 422),
  'GET /v3/apps/:guid/features': read('/features'),
  'GET /v3/apps/:guid/features/:name': read('/features/ssh'),
  'PATCH /v3/apps/:guid/features/:name': develop('/features/ssh', { enabled: false }),
  'GET /v3/apps/:guid/ssh_enabled': read('/ssh_enabled'),
  'GET /v3/apps/:guid/permissions': read('/permissions'),
};
