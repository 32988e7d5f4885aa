/** What every route of a droplet begins with. */
import type { Caller } from '../../../../service/access/caller.ts';
import { mayReadSecrets } from '../../../../service/access/may.ts';
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import type { AppEvent } from '../../../../service/resources/audit.ts';
import { type Droplet, findDroplet } from '../../../../service/resources/droplets.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { demand, demandRead } from '../../route/demand.ts';
import type { Call } from '../../route/route.ts';
import { presentDroplet } from './present.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;
type Question = (standing: Standing) => boolean;

async function visibleDroplet({ caller, service }: Asking, guid: Guid): Promise<Droplet> {
  const found = await findDroplet(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Droplet');
  return found;
}

/** For what changes it. @throws CfError 404, 403. */
export async function dropletFor(asking: Asking, guid: Guid, may: Question): Promise<Droplet> {
  const found = await visibleDroplet(asking, guid);
  demand(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}

/** For what reads more than everybody who sees it may. @throws CfError 404, 403. */
export async function dropletToRead(asking: Asking, guid: Guid, may: Question): Promise<Droplet> {
  const found = await visibleDroplet(asking, guid);
  demandRead(may, await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid));
  return found;
}

/** The droplet as the caller may see it. @throws CfError 404. */
export async function shownDroplet(asking: Asking, guid: Guid) {
  const found = await visibleDroplet(asking, guid);
  const standing = await standingInSpace(asking.service.database.queries, asking.caller, found.space_guid);
  return presentDroplet(found, asking.base, mayReadSecrets(standing) ? 'shown' : 'hidden');
}

/** What was done to one, as an event of its app. */
export function dropletEvent(
  what: 'upload' | 'download' | 'delete',
  { guid, app_guid, space_guid }: Droplet,
  caller: Caller,
): AppEvent {
  const app = { guid: app_guid, space_guid };
  return { type: `audit.app.droplet.${what}`, caller, app, facts: { droplet_guid: guid } };
}
