/** Finds the route that `/v3/routes/:guid` names, and checks that the caller may see it. */
import { mayOperateApps } from '../../../../service/access/may.ts';
import { destinationsOf, findRoute, type Route } from '../../../../service/resources/routes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { finders } from '../../route/finders.ts';
import type { Call } from '../../route/route.ts';
import { presentRoute } from './present.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;

const routes = finders('Route', findRoute, ({ space_guid }: Route) => space_guid);

/** A route for who sees it. */
export const visibleRoute = routes.visible;

/** For what changes it. @throws CfError 404, 403. */
export async function routeToChange(asking: Asking, guid: Guid): Promise<Route> {
  return await routes.toChange(asking, guid, mayOperateApps);
}

export async function shownRoute({ service, base }: Asking, row: Route) {
  const destinations = await destinationsOf(service.database.queries, [row.guid]);
  return presentRoute(row, destinations.get(row.guid) ?? [], base);
}
