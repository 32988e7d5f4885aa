/** `/v3/routes/:guid/destinations`: which apps a route leads to. */
import type { z } from 'zod';
import { findApp } from '../../../../service/resources/apps.ts';
import {
  addDestination,
  destinationsOf,
  type Route,
  removeDestinations,
} from '../../../../service/resources/routes.ts';
import type { Guid } from '../../../../words/ids.ts';
import { unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid } from '../../route/params.ts';
import type { Call } from '../../route/route.ts';
import { routeToChange, visibleRoute } from './find.ts';
import { presentDestination } from './present.ts';
import { ByDestination, Destinations, DestinationsInput } from './schema.ts';

type Asking = Pick<Call<unknown, unknown, unknown>, 'caller' | 'service' | 'base'>;

const list = route({
  method: 'GET',
  path: '/v3/routes/:guid/destinations',
  summary: 'List where a route leads',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Destinations },
  handle: async (call) => ({
    status: 200,
    body: await shown(call, await visibleRoute(call, call.params.guid)),
  }),
});

const add = route({
  method: 'POST',
  path: '/v3/routes/:guid/destinations',
  summary: 'Let a route lead to more apps',
  access: 'signed-in',
  params: ByGuid,
  body: DestinationsInput,
  answers: { 200: Destinations },
  handle: async (call) => {
    const found = await routeToChange(call, call.params.guid);
    await addAll(call, found, call.body);
    return { status: 200, body: await shown(call, found) };
  },
});

const replace = route({
  method: 'PATCH',
  path: '/v3/routes/:guid/destinations',
  summary: 'Let a route lead to these apps and no others',
  access: 'signed-in',
  params: ByGuid,
  body: DestinationsInput,
  answers: { 200: Destinations },
  handle: async (call) => {
    const found = await routeToChange(call, call.params.guid);
    await demandApps(call, found, call.body);
    await removeDestinations(call.service.database.queries, found.guid);
    await addAll(call, found, call.body);
    return { status: 200, body: await shown(call, found) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/v3/routes/:guid/destinations/:destination',
  summary: 'Take a destination of a route away',
  access: 'signed-in',
  params: ByDestination,
  answers: { 204: null },
  handle: async (call) => {
    const { guid, destination } = call.params;
    const found = await routeToChange(call, guid);
    const { queries } = call.service.database;
    const there = (await destinationsOf(queries, [found.guid])).get(found.guid) ?? [];
    if (!there.some((it) => it.guid === destination)) {
      throw unprocessable(
        'Unable to unmap route from destination. Ensure the route has a destination with this guid.',
      );
    }
    const mapped = there.find((it) => it.guid === destination)?.app_guid;
    await removeDestinations(queries, found.guid, { guid: destination });
    if (mapped !== undefined) await note(call, found, { app: mapped, what: 'unmap' });
    return { status: 204 };
  },
});

export const destinationRoutes = [list, add, replace, remove];

async function demandApps(
  { caller, service }: Asking,
  found: Route,
  { destinations }: z.output<typeof DestinationsInput>,
): Promise<void> {
  for (const { app } of destinations) {
    const there = await findApp(service.database.queries, caller, app.guid);
    if (there === undefined)
      throw unprocessable(`App(s) with guid(s) "${app.guid}" do not exist or you do not have access.`);
    if (there.space_guid !== found.space_guid) {
      throw unprocessable(
        "Routes destinations must be in either the route's space or the route's shared spaces",
      );
    }
  }
}

async function addAll(call: Asking, found: Route, body: z.output<typeof DestinationsInput>): Promise<void> {
  await demandApps(call, found, body);
  for (const { app, port } of body.destinations) {
    await addDestination(call.service.database.queries, found.guid, {
      app: app.guid,
      processType: app.process?.type ?? 'web',
      ...(port !== undefined && { port }),
    });
    await note(call, found, { app: app.guid, what: 'map' });
  }
}

async function note(
  { caller, service }: Asking,
  { guid, space_guid }: Route,
  { app, what }: { readonly app: Guid; readonly what: 'map' | 'unmap' },
): Promise<void> {
  await service.audit.record({
    type: `audit.app.${what}-route`,
    caller,
    app: { guid: app, space_guid },
    facts: { route_guid: guid },
  });
}

async function shown({ service, base }: Asking, { guid }: Route) {
  const rows = (await destinationsOf(service.database.queries, [guid])).get(guid) ?? [];
  const self = `${base}/v3/routes/${guid}`;
  return {
    destinations: rows.map(presentDestination),
    links: { self: { href: `${self}/destinations` }, route: { href: self } },
  };
}
