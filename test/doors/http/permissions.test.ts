import { describe, expect, it } from 'vitest';
import { ROUTES } from '../../../src/doors/http/all-routes.ts';
import { operationPermissions } from './operations/permissions.ts';
import { describeApi, resourcesIn } from './support/api.ts';
import type { PermissionRequest, PermissionRow, PermissionTable } from './support/permissions.ts';
import { type Actor, SIGNED_IN } from './support/world.ts';
import { uaaPermissions } from './uaa/permissions.ts';
import { v2Permissions } from './v2/permissions.ts';
import { absentPermissions } from './v3/absent/permissions.ts';
import { appPermissions } from './v3/apps/permissions.ts';
import { auditEventPermissions } from './v3/audit-events/permissions.ts';
import { buildpackPermissions } from './v3/buildpacks/permissions.ts';
import { buildPermissions } from './v3/builds/permissions.ts';
import { domainPermissions } from './v3/domains/permissions.ts';
import { dropletPermissions } from './v3/droplets/permissions.ts';
import { environmentGroupPermissions } from './v3/environment-groups/permissions.ts';
import { jobPermissions } from './v3/jobs/permissions.ts';
import { manifestPermissions } from './v3/manifests/permissions.ts';
import { organizationPermissions } from './v3/organizations/permissions.ts';
import { packagePermissions } from './v3/packages/permissions.ts';
import { platformPermissions } from './v3/platform/permissions.ts';
import { processPermissions } from './v3/processes/permissions.ts';
import { rolePermissions } from './v3/roles/permissions.ts';
import { rootPermissions } from './v3/root/permissions.ts';
import { routePermissions } from './v3/routing/permissions.ts';
import { servicePermissions } from './v3/services/permissions.ts';
import { spacePermissions } from './v3/spaces/permissions.ts';
import { userPermissions } from './v3/users/permissions.ts';

const TABLE: PermissionTable = {
  ...packagePermissions,
  ...buildPermissions,
  ...dropletPermissions,
  ...buildpackPermissions,
  ...rootPermissions,
  ...jobPermissions,
  ...organizationPermissions,
  ...spacePermissions,
  ...rolePermissions,
  ...platformPermissions,
  ...userPermissions,
  ...appPermissions,
  ...processPermissions,

  ...uaaPermissions,
  ...v2Permissions,
  ...manifestPermissions,
  ...servicePermissions,
  ...environmentGroupPermissions,
  ...auditEventPermissions,
  ...operationPermissions,
  ...absentPermissions,
  ...domainPermissions,
  ...routePermissions,
};

const ACTORS: readonly Actor[] = ['nobody', ...SIGNED_IN];

describe('permissions', () => {
  it('are written down for every route, and for no other', () => {
    const routes = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(TABLE).toSorted()).toEqual(routes.toSorted());
  });
});

describeApi('permissions', (api) => {
  for (const [route, row] of Object.entries(TABLE)) {
    it(`${route}: says who may and who may not`, async () => {
      const [method = ''] = route.split(' ');
      const seen: Record<string, number> = {};
      let request: PermissionRequest | undefined;
      for (const actor of ACTORS) {
        request ??= await row.request(api());
        const { path, body, headers = {} } = request;
        const { status } = await api().ask(method, path, { as: actor, body, headers });
        seen[actor] = status;
        // Whoever is refused, or only reads, leaves for the next one what the request is about.
        if (method !== 'GET' && status === row.status) request = undefined;
      }
      expect(seen).toEqual(Object.fromEntries(ACTORS.map((actor) => [actor, expected(row, actor)])));
    });
    if (row.listed === undefined) continue;
    const { listed, sees = [] } = row;
    it(`${route}: leaves out what is foreign`, async () => {
      const guid = await listed(api());
      const finders: Actor[] = [];
      const { path } = await row.request(api());
      for (const actor of SIGNED_IN) {
        const reply = await api().ask('GET', path, { as: actor });
        if (resourcesIn(reply).some((resource) => resource['guid'] === guid)) finders.push(actor);
      }
      expect(finders.toSorted()).toEqual([...sees].toSorted());
    });
  }
});

function expected(row: PermissionRow, actor: Actor): number {
  if (row.may === 'anyone') return row.status;
  if (actor === 'nobody') return 401;
  if (row.may === 'everyone' || row.may.includes(actor)) return row.status;
  return row.forbidden?.includes(actor) === true ? 403 : (row.others ?? 404);
}
