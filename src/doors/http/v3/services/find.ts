/** The service instance that a request names. */
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import {
  findServiceInstance,
  type ServiceInstance,
} from '../../../../service/resources/service-instances.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import type { Call } from '../../route/route.ts';

/** One that the caller sees, and what the caller is in its space. @throws CfError 404. */
export async function instanceOf(
  { caller, service }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>,
  guid: Guid,
): Promise<{ readonly row: ServiceInstance; readonly standing: Standing }> {
  const { queries } = service.database;
  const row = await findServiceInstance(queries, caller, guid);
  if (row === undefined) throw notFound('Service instance');
  return { row, standing: await standingInSpace(queries, caller, row.space_guid) };
}
