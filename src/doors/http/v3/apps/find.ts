/** What every route below `/v3/apps/:guid` begins with. */
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import { type App, findApp } from '../../../../service/resources/apps.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { demand, demandRead } from '../../route/demand.ts';
import type { Call } from '../../route/route.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;
type Question = (standing: Standing) => boolean;

/** @throws CfError 404 when there is none that the caller sees. */
export async function visibleApp({ caller, service }: Asking, guid: Guid): Promise<App> {
  const found = await findApp(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('App');
  return found;
}

/** For what changes it. @throws CfError 404, 403. */
export async function appFor(asking: Asking, guid: Guid, may: Question): Promise<App> {
  const found = await visibleApp(asking, guid);
  demand(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}

/** For what reads more than everybody who sees it may. @throws CfError 404, 403. */
export async function appToRead(asking: Asking, guid: Guid, may: Question): Promise<App> {
  const found = await visibleApp(asking, guid);
  demandRead(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}
