/** The routes of one process, below any address that names one. */
import type { z } from 'zod';
import { mayDevelop, mayOperateApps, mayReadSecrets } from '../../../../service/access/may.ts';
import { detectedCommand } from '../../../../service/resources/detected-command.ts';
import { updateProcess } from '../../../../service/resources/processes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { route } from '../../route/define-route.ts';
import { demand } from '../../route/demand.ts';
import type { Call, ServedRoute } from '../../route/route.ts';
import { fieldsOf } from './fields.ts';
import { type FoundProcess, processAndApp } from './find.ts';
import { instancesOf, presentProcess } from './present.ts';
import { ProcessAnswer, ProcessStats, ScaleProcess, UpdateProcess } from './schema.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;

/** An address of a process. */
export interface ProcessAddress<Params> {
  readonly path: `/${string}`;
  readonly params: z.ZodType<Params>;
  readonly names: (params: Params) => { readonly guid: Guid } | { readonly app: Guid; readonly type: string };
}

export function routesOfOne<Params>({ path, params, names }: ProcessAddress<Params>): readonly ServedRoute[] {
  const common = { access: 'signed-in', params } as const;
  return [
    route({
      ...common,
      method: 'GET',
      path,
      summary: 'Get a process',
      answers: { 200: ProcessAnswer },
      handle: async (call) => ({
        status: 200,
        body: await shown(call, await processAndApp(call, names(call.params))),
      }),
    }),
    route({
      ...common,
      method: 'PATCH',
      path,
      summary: 'Change the command, health check or metadata of a process',
      body: UpdateProcess,
      answers: { 200: ProcessAnswer },
      handle: async (call) => {
        const found = await processAndApp(call, names(call.params));
        demand(mayDevelop, found.standing);
        return { status: 200, body: await changed(call, found, fieldsOf(call.body, found.process)) };
      },
    }),
    route({
      ...common,
      method: 'POST',
      path: `${path}/actions/scale`,
      summary: 'Set how many instances a process has, and their limits',
      body: ScaleProcess,
      answers: { 202: ProcessAnswer },
      handle: async (call) => {
        const found = await processAndApp(call, names(call.params));
        demand(mayOperateApps, found.standing);
        return { status: 202, body: await changed(call, found, call.body) };
      },
    }),
    route({
      ...common,
      method: 'GET',
      path: `${path}/stats`,
      summary: 'Instances of a process: nothing runs here, so all of a stopped app are down',
      answers: { 200: ProcessStats },
      handle: async (call) => {
        const { process, app } = await processAndApp(call, names(call.params));
        // Clients wait for the instances of a started app, unless it has none.
        const instances = app.desired_state === 'STARTED' ? [] : instancesOf(process);
        const resources = instances.map(({ index, state }) => ({ type: process.type, index, state }));
        return { status: 200, body: { resources } };
      },
    }),
  ];
}

async function changed(
  call: Asking,
  found: FoundProcess,
  fields: Parameters<typeof updateProcess>[2],
): Promise<z.input<typeof ProcessAnswer>> {
  const { queries } = call.service.database;
  const process = await updateProcess(queries, found.process.guid, fields);
  await call.service.audit.record({
    type: 'audit.app.process.update',
    caller: call.caller,
    app: found.app,
    request: { process_type: process.type, ...fields },
  });
  return await shown(call, { ...found, process });
}

async function shown(call: Asking, { process, app, standing }: FoundProcess) {
  const detected = await detectedCommand(call.service.database.queries, app, process.type);
  const command = mayReadSecrets(standing) ? 'shown' : 'hidden';
  return presentProcess(process, { base: call.base, command, detected });
}
