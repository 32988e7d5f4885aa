/** What every route below `/v3/routes/:guid` begins with. */
import { mayOperateApps } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import { destinationsOf, findRoute, type Route } from '../../../../service/resources/routes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { demand } from '../../route/demand.ts';
import type { Call } from '../../route/route.ts';
import { presentRoute } from './present.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;

/** @throws CfError 404. */
export async function visibleRoute({ caller, service }: Asking, guid: Guid): Promise<Route> {
  const found = await findRoute(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Route');
  return found;
}

/** For what changes it. @throws CfError 404, 403. */
export async function routeFor(asking: Asking, guid: Guid): Promise<Route> {
  const found = await visibleRoute(asking, guid);
  const { queries } = asking.service.database;
  demand(mayOperateApps, await standingInSpace(queries, asking.caller, found.space_guid));
  return found;
}

export async function shownRoute({ service, base }: Asking, row: Route) {
  const destinations = await destinationsOf(service.database.queries, [row.guid]);
  return presentRoute(row, destinations.get(row.guid) ?? [], base);
}
