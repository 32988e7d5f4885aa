/** The service instance that a request of v2 names. */
import { mayDevelop } from '../../../service/access/may.ts';
import type { ServiceInstance } from '../../../service/resources/service-instances.ts';
import type { Guid } from '../../../words/ids.ts';
import { demand } from '../route/demand.ts';
import type { Call } from '../route/route.ts';
import { instanceOf } from '../v3/services/find.ts';

/** For what changes it. @throws CfError 404, 403. */
export async function instanceToChange(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>,
  guid: Guid,
): Promise<ServiceInstance> {
  const { row, standing } = await instanceOf(call, guid);
  demand(mayDevelop, standing);
  return row;
}
