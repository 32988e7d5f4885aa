/** Apps for tests of what belongs to one. */
import { type Api, guidIn } from './api.ts';

/** A new app in the world's space. */
export async function newApp(api: Api, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const body = {
    name: `app-${crypto.randomUUID()}`,
    relationships: { space: { data: { guid: api.world.space } } },
    ...fields,
  };
  return guidIn(await api.ask('POST', '/v3/apps', { body }));
}

/** A staged droplet of an app, as a build would have left it, without its bytes. */
export async function newDroplet(
  api: Api,
  app: string,
  processTypes: Readonly<Record<string, string>> = { web: 'node server.js' },
): Promise<string> {
  const guid: string = crypto.randomUUID();
  await api.service.database.run(
    `insert into droplets (guid, app_guid, state, lifecycle_type, process_types)
     values ($1, $2, 'STAGED', 'buildpack', $3::jsonb)`,
    [guid, app, JSON.stringify(processTypes)],
  );
  return guid;
}

/** Who sees what is in the world's space. */
export const SEES_SPACE = [
  'admin',
  'admin_read_only',
  'global_auditor',
  'organization_manager',
  'space_auditor',
  'space_developer',
  'space_manager',
  'space_supporter',
] as const;
