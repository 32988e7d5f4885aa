/** What every route of a package begins with. */
import type { Caller } from '../../../../service/access/caller.ts';
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import type { AppEvent } from '../../../../service/resources/audit.ts';
import { findPackage, type Package } from '../../../../service/resources/packages.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { demand, demandRead } from '../../route/demand.ts';
import type { Call } from '../../route/route.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;
type Question = (standing: Standing) => boolean;

/** @throws CfError 404 when there is none that the caller sees. */
export async function visiblePackage({ caller, service }: Asking, guid: Guid): Promise<Package> {
  const found = await findPackage(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Package');
  return found;
}

/** For what changes it. @throws CfError 404, 403. */
export async function packageFor(asking: Asking, guid: Guid, may: Question): Promise<Package> {
  const found = await visiblePackage(asking, guid);
  demand(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}

/** For what reads more than everybody who sees it may. @throws CfError 404, 403. */
export async function packageToRead(asking: Asking, guid: Guid, may: Question): Promise<Package> {
  const found = await visiblePackage(asking, guid);
  demandRead(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}

/** What was done to one, as an event of its app. */
export function packageEvent(
  what: 'upload' | 'download' | 'delete',
  { guid, app_guid, space_guid }: Package,
  caller: Caller,
): AppEvent {
  const app = { guid: app_guid, space_guid };
  return { type: `audit.app.package.${what}`, caller, app, facts: { package_guid: guid } };
}
