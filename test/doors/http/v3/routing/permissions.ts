import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionRow, PermissionTable } from '../../support/permissions.ts';
import { newRoute, routeBody } from '../../support/routing.ts';

const read = (path = ''): PermissionRow => ({
  status: 200,
  may: SEES_SPACE,
  request: async (api) => ({ path: `/v3/routes/${await newRoute(api)}${path}` }),
});
const operate = (path: string, body?: unknown, status = 200): PermissionRow => ({
  status,
  may: ['admin', 'space_developer', 'space_supporter'],
  forbidden: SEES_SPACE,
  request: async (api) => ({ path: `/v3/routes/${await newRoute(api)}${path}`, body }),
});

export const routePermissions: PermissionTable = {
  'GET /v3/routes': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: (api) => newRoute(api),
    request: () => ({ path: '/v3/routes?per_page=5000' }),
  },
  'GET /v3/apps/:guid/routes': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/routes` }),
  },
  'GET /v3/routes/:guid': read(),
  'POST /v3/routes': {
    status: 201,
    may: ['admin', 'space_developer', 'space_supporter'],
    forbidden: SEES_SPACE,
    others: 422,
    request: async (api) => ({ path: '/v3/routes', body: await routeBody(api) }),
  },
  'PATCH /v3/routes/:guid': operate('', { metadata: { labels: { seen: 'yes' } } }),
  'DELETE /v3/routes/:guid': operate('', undefined, 202),
  'DELETE /v3/spaces/:guid/routes': {
    status: 202,
    may: ['admin', 'space_developer', 'space_supporter'],
    forbidden: SEES_SPACE,
    request: ({ world }) => ({ path: `/v3/spaces/${world.space}/routes?unmapped=true` }),
  },
  'GET /v3/routes/:guid/destinations': read('/destinations'),
  'POST /v3/routes/:guid/destinations': operate('/destinations', { destinations: [] }),
  'PATCH /v3/routes/:guid/destinations': operate('/destinations', { destinations: [] }),
  'DELETE /v3/routes/:guid/destinations/:destination': {
    status: 204,
    may: ['admin', 'space_developer', 'space_supporter'],
    forbidden: SEES_SPACE,
    request: async (api) => {
      const path = `/v3/routes/${await newRoute(api)}/destinations`;
      const body = { destinations: [{ app: { guid: await newApp(api) } }] };
      const { text } = await api.ask('POST', path, { body });
      return { path: `${path}/${/"guid":"([^"]+)"/.exec(text)?.[1]}` };
    },
  },
};
