/** The work of every operation that runs as a job. */
import type { JobTable } from '../../service/queue/jobs.ts';
import { deleteApp } from '../../service/resources/delete-app.ts';
import { deleteOrganization } from '../../service/resources/delete-organization.ts';
import { deleteDomain } from '../../service/resources/domains.ts';
import { deleteRoute, deleteUnmappedRoutes } from '../../service/resources/routes.ts';
import type { Database } from '../../service/state/database.ts';
import { parseGuid } from '../../words/ids.ts';

export function jobTable({ queries }: Database): JobTable {
  return {
    'app.delete': async ({ guid }) => {
      await deleteApp(queries, guidIn(guid));
    },
    'domain.delete': async ({ guid }) => {
      await deleteDomain(queries, guidIn(guid));
    },
    'route.delete': async ({ guid }) => {
      await deleteRoute(queries, guidIn(guid));
    },
    'space.delete-unmapped-routes': async ({ guid }) => {
      await deleteUnmappedRoutes(queries, guidIn(guid));
    },
    'organization.delete': async ({ guid }) => {
      await deleteOrganization(queries, guidIn(guid));
    },
  };
}

function guidIn(value: unknown) {
  const guid = typeof value === 'string' ? parseGuid(value) : undefined;
  if (guid === undefined) throw new Error(`a job without a guid: ${String(value)}`);
  return guid;
}
