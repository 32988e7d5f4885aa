/** The space that a path names. */
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import { findSpace, type Space } from '../../../../service/resources/spaces.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { demand } from '../../route/demand.ts';
import type { CallContext } from '../../route/route.ts';

/** @throws CfError ResourceNotFound when the caller does not see it. */
export async function visibleSpace({ service, caller }: CallContext, guid: Guid): Promise<Space> {
  const found = await findSpace(service.database.queries, caller, guid);
  if (found === undefined) throw notFound('Space');
  return found;
}

/** The same for whoever `may`. @throws CfError ResourceNotFound, NotAuthorized. */
export async function spaceFor(
  call: CallContext,
  guid: Guid,
  may: (standing: Standing) => boolean,
): Promise<Space> {
  const found = await visibleSpace(call, guid);
  demand(may, await standingInSpace(call.service.database.queries, call.caller, found.guid));
  return found;
}
