/** Which droplet an app uses. */
import { mayDevelop } from '../../../../service/access/may.ts';
import { setCurrentDroplet } from '../../../../service/resources/apps.ts';
import { takeProcessTypes } from '../../../../service/resources/take-process-types.ts';
import { notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid, ToOneInput } from '../../route/params.ts';
import { appToChange, visibleApp } from './find.ts';
import { CurrentDroplet } from './schema.ts';

const get = route({
  method: 'GET',
  path: '/v3/apps/:guid/relationships/current_droplet',
  summary: "Get the guid of an app's current droplet",
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: CurrentDroplet },
  handle: async (call) => {
    const { guid, current_droplet_guid: droplet } = await visibleApp(call, call.params.guid);
    if (droplet === null) throw notFound('Droplet');
    return { status: 200, body: present(guid, droplet, call.base) };
  },
});

const assign = route({
  method: 'PATCH',
  path: '/v3/apps/:guid/relationships/current_droplet',
  summary: "Make one of an app's staged droplets its current one",
  access: 'signed-in',
  params: ByGuid,
  body: ToOneInput,
  answers: { 200: CurrentDroplet },
  handle: async (call) => {
    const { caller, service, body } = call;
    const found = await appToChange(call, call.params.guid, mayDevelop);
    const droplet = body.data.guid;
    const isDone = await service.database.queries.transaction().execute(async (transaction) => {
      if (!(await setCurrentDroplet(transaction, found.guid, droplet))) return false;
      await takeProcessTypes(transaction, { app: found.guid, droplet });
      return true;
    });
    if (!isDone) {
      throw unprocessable(
        'Unable to assign current droplet. Ensure the droplet exists and belongs to this app.',
      );
    }
    await service.audit.record({ type: 'audit.app.droplet.mapped', caller, app: found, request: body });
    return { status: 200, body: present(found.guid, droplet, call.base) };
  },
});

export const appDropletRoutes = [get, assign];

function present(app: string, droplet: string, base: string) {
  const self = `${base}/v3/apps/${app}`;
  return {
    data: { guid: droplet },
    links: {
      self: { href: `${self}/relationships/current_droplet` },
      related: { href: `${self}/droplets/current` },
    },
  };
}
