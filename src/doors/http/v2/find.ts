/** The service instance that a request of v2 names. */
import { mayDevelop } from '../../../service/access/may.ts';
import { standingInSpace } from '../../../service/access/standing.ts';
import { findServiceInstance, type ServiceInstance } from '../../../service/resources/service-instances.ts';
import type { Guid } from '../../../words/ids.ts';
import { notFound } from '../route/cf-errors.ts';
import { demand } from '../route/demand.ts';
import type { Call } from '../route/route.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;

/** For what changes it. @throws CfError 404, 403. */
export async function instanceFor({ caller, service }: Asking, guid: Guid): Promise<ServiceInstance> {
  const { queries } = service.database;
  const found = await findServiceInstance(queries, caller, guid);
  if (found === undefined) throw notFound('Service instance');
  demand(mayDevelop, await standingInSpace(queries, caller, found.space_guid));
  return found;
}
