import { type Api, resourcesIn } from '../../support/api.ts';
import { newApp, SEES_SPACE } from '../../support/apps.ts';
import type { PermissionTable } from '../../support/permissions.ts';

async function newEvent(api: Api): Promise<string> {
  const events = await api.ask('GET', `/v3/audit_events?target_guids=${await newApp(api)}`);
  return String(resourcesIn(events)[0]?.['guid']);
}

export const auditEventPermissions: PermissionTable = {
  'GET /v3/audit_events': {
    status: 200,
    may: 'everyone',
    sees: SEES_SPACE,
    listed: newEvent,
    request: () => ({ path: '/v3/audit_events?per_page=5000' }),
  },
  'GET /v3/audit_events/:guid': {
    status: 200,
    may: SEES_SPACE,
    request: async (api) => ({ path: `/v3/audit_events/${await newEvent(api)}` }),
  },
};
