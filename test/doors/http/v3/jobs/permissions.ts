import { guidIn } from '../../support/api.ts';
import type { PermissionTable } from '../../support/permissions.ts';
import { ADMINS } from '../../support/world.ts';

export const jobPermissions: PermissionTable = {
  'GET /v3/jobs/:guid': {
    status: 200,
    // The admin started it.
    may: [...ADMINS],
    request: async (api) => {
      const made = await api.ask('POST', '/v3/organizations', {
        body: { name: `doomed-${crypto.randomUUID()}` },
      });
      const reply = await api.ask('DELETE', `/v3/organizations/${guidIn(made)}`);
      return { path: new URL(reply.headers.get('location') ?? '').pathname };
    },
  },
};
