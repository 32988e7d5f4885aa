/** Finding a process, by its guid or as a type of an app. */
import { type Standing, standingInSpace } from '../../../../service/access/standing.ts';
import { type App, findApp } from '../../../../service/resources/apps.ts';
import { findProcess, type Process } from '../../../../service/resources/processes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import type { Call } from '../../route/route.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>;

export interface FoundProcess {
  readonly process: Process;
  readonly app: App;
  readonly standing: Standing;
}

/** @throws CfError 404. */
export async function processAndApp(
  { caller, service }: Asking,
  by: { readonly guid: Guid } | { readonly app: Guid; readonly type: string },
): Promise<FoundProcess> {
  const { queries } = service.database;
  if ('app' in by && (await findApp(queries, caller, by.app)) === undefined) throw notFound('App');
  const process = await findProcess(queries, caller, by);
  const app = process === undefined ? undefined : await findApp(queries, caller, process.app_guid);
  if (process === undefined || app === undefined) throw notFound('Process');
  return { process, app, standing: await standingInSpace(queries, caller, app.space_guid) };
}
