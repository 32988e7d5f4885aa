import type { Api } from '../../support/api.ts';
import { newApp, newDroplet, SEES_SPACE } from '../../support/apps.ts';
import { emptyPackage, readyPackage, staged } from '../../support/builds.ts';
import type { PermissionTable } from '../../support/permissions.ts';

const DEVELOPS = ['admin', 'space_developer'] as const;

async function droplet(api: Api): Promise<string> {
  return await newDroplet(api, await newApp(api));
}

async function storedDroplet(api: Api): Promise<string> {
  const build = await staged(api, await readyPackage(api, await newApp(api)));
  const { droplet: made } = build.body;
  if (typeof made !== 'object' || made === null || !('guid' in made)) throw new Error(build.text);
  return String(made.guid);
}

export const dropletPermissions: PermissionTable = {
  'GET /v3/droplets': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: droplet,
    request: () => ({ path: '/v3/droplets?per_page=5000' }),
  },
  'GET /v3/apps/:guid/droplets': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/apps/${await newApp(api)}/droplets` }),
  },
  'GET /v3/packages/:guid/droplets': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/packages/${await emptyPackage(api, await newApp(api))}/droplets` }),
  },
  'GET /v3/apps/:guid/droplets/current': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => {
      const app = await newApp(api);
      const body = { data: { guid: await newDroplet(api, app) } };
      await api.ask('PATCH', `/v3/apps/${app}/relationships/current_droplet`, { body });
      return { path: `/v3/apps/${app}/droplets/current` };
    },
  },
  'GET /v3/droplets/:guid': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/droplets/${await droplet(api)}` }),
  },
  'POST /v3/droplets': {
    status: 201,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    others: 422,
    request: async (api) => ({
      path: '/v3/droplets',
      body: { relationships: { app: { data: { guid: await newApp(api) } } } },
    }),
  },
  'PATCH /v3/droplets/:guid': {
    status: 200,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({
      path: `/v3/droplets/${await droplet(api)}`,
      body: { metadata: { labels: { a: 'b' } } },
    }),
  },
  'DELETE /v3/droplets/:guid': {
    status: 202,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/droplets/${await droplet(api)}` }),
  },
  // A droplet that has its bytes takes no others; whoever may not does not get as far.
  'POST /v3/droplets/:guid/upload': {
    status: 422,
    may: DEVELOPS,
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/droplets/${await droplet(api)}/upload` }),
  },
  'GET /v3/droplets/:guid/download': {
    status: 302,
    may: ['admin', 'admin_read_only', 'space_developer'],
    forbidden: SEES_SPACE,
    request: async (api) => ({ path: `/v3/droplets/${await storedDroplet(api)}/download` }),
  },
  'GET /stager/v1/downloads/:token': {
    status: 200,
    may: 'anyone',
    request: async (api) => {
      const reply = await api.ask('GET', `/v3/droplets/${await storedDroplet(api)}/download`);
      return { path: reply.headers.get('location') ?? '' };
    },
  },
};
