/** Finds the droplet of a route, and checks that the caller may see it. */
import type { Caller } from '../../../../service/access/caller.ts';
import { mayReadSecrets } from '../../../../service/access/may.ts';
import { standingInSpace } from '../../../../service/access/standing.ts';
import type { AppEvent } from '../../../../service/resources/audit.ts';
import { type Droplet, findDroplet } from '../../../../service/resources/droplets.ts';
import type { Guid } from '../../../../words/ids.ts';
import { finders } from '../../route/finders.ts';
import type { Call } from '../../route/route.ts';
import { presentDroplet } from './present.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;
const droplets = finders('Droplet', findDroplet, ({ space_guid }: Droplet) => space_guid);

/** A droplet for who may change it and who may read all of it. */
export const { toChange: dropletToChange, toRead: dropletToRead } = droplets;

/** The droplet as the caller may see it. @throws CfError 404. */
export async function shownDroplet(asking: Asking, guid: Guid) {
  const found = await droplets.visible(asking, guid);
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
