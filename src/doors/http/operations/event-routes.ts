/** The feed of finished builds: as a list after a number, or as server-sent events. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Caller } from '../../../service/access/caller.ts';
import { buildEndsAfter, presentBuildEnd } from '../../../service/events/build-ends.ts';
import { route } from '../route/define-route.ts';
import type { HttpService } from '../route/service.ts';

const MOST = 500;
/** Milliseconds after which it is looked for what another process wrote. */
const LOOK_MS = 2000;
/** Looks between signs of life, which proxies want. */
const LIFE = 8;

const EventsQuery = z.strictObject({
  /** The number of the last one that was seen. */
  after: z
    .string()
    .regex(/^\d{1,15}$/, { error: 'must be the number of an event' })
    .transform(Number)
    .optional(),
});

const Event = z
  .object({
    id: z.number(),
    type: z.literal('build.ended'),
    at: z.string(),
    build: z.object({ guid: z.string(), state: z.enum(['STAGED', 'FAILED']), error: z.string().nullable() }),
    droplet: z.object({ guid: z.string() }).nullable(),
    app: z.object({ guid: z.string(), name: z.string() }),
    space: z.object({ guid: z.string() }),
  })
  .describe('event');

const list = route({
  method: 'GET',
  path: '/stager/v1/events',
  summary: 'List events of builds in your spaces after a number, oldest first; use next for the next call',
  access: 'signed-in',
  query: EventsQuery,
  answers: { 200: z.object({ events: z.array(Event), next: z.number() }) },
  handle: async ({ query: { after = 0 }, caller, service }) => {
    const ends = await buildEndsAfter(service.database.queries, caller, { after, most: MOST });
    const events = ends.map(presentBuildEnd);
    return { status: 200, body: { events, next: events.at(-1)?.id ?? after } };
  },
});

const stream = route({
  method: 'GET',
  path: '/stager/v1/events/stream',
  summary: 'Follow events of builds in your spaces as server-sent events, from Last-Event-ID on',
  access: 'signed-in',
  query: EventsQuery,
  answers: { 200: 'bytes' },
  handle: async ({ query, caller, service, request }) => {
    const header = request.headers['last-event-id'];
    const after =
      typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : (query.after ?? 0);
    const stops = new AbortController();
    const body = Readable.from(follow(service, { caller, after, signal: stops.signal }), {
      objectMode: false,
    });
    body.once('close', () => stops.abort());
    return {
      status: 200 as const,
      stream: body,
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    };
  },
});

export const eventRoutes = [list, stream];

async function* follow(
  service: HttpService,
  from: { readonly caller: Caller; readonly after: number; readonly signal: AbortSignal },
): AsyncGenerator<string> {
  let { after } = from;
  yield ': builds that end\n\n';
  for (let quiet = 1; !from.signal.aborted; quiet += 1) {
    const ends = await buildEndsAfter(service.database.queries, from.caller, { after, most: MOST });
    for (const end of ends) {
      yield `id: ${end.id}\nevent: build.ended\ndata: ${JSON.stringify(presentBuildEnd(end))}\n\n`;
      after = end.id;
    }
    if (ends.length === MOST) continue;
    if (ends.length > 0) quiet = 0;
    else if (quiet % LIFE === 0) yield ': \n\n';
    await something(service, from.signal);
  }
}

async function something({ database }: HttpService, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LOOK_MS);
  const unlisten = database.signals.listen(({ kind }) => {
    if (kind === 'changed') resolve();
  });
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  clearTimeout(timer);
  unlisten();
  signal.removeEventListener('abort', stop);
}
