/** The log of a build as server-sent events, from its first line or from where a client was; and what its staging told. */
import { Readable } from 'node:stream';
import { z } from 'zod';
import { inVisibleSpace } from '../../../../service/access/visible.ts';
import { eventsAfter, isLogClosed, linesAfter } from '../../../../service/builds/log-store.ts';
import type { Queries } from '../../../../service/state/database.ts';
import type { Guid } from '../../../../words/ids.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid } from '../../route/params.ts';
import type { Call } from '../../route/route.ts';
import type { HttpService } from '../../route/service.ts';

const LINES = 500;
/** Milliseconds after which it is looked for lines that another process wrote. */
const LOOK_MS = 1000;
/** Looks between signs of life, which proxies want. */
const LIFE = 15;

export const FollowQuery = z.strictObject({
  /** As Last-Event-ID, for clients that can't set it. */
  after: z
    .string()
    .regex(/^\d{1,15}$/, { error: 'must be the number of a line' })
    .transform(Number)
    .optional(),
  follow: z.enum(['true', 'false']).optional(),
});

const follow = route({
  method: 'GET',
  path: '/v3/builds/:guid/logs',
  summary: 'Follow the log of a build as server-sent events; with Last-Event-ID, from there',
  access: 'signed-in',
  params: ByGuid,
  query: FollowQuery,
  answers: { 200: 'bytes' },
  handle: async (call) => await streamOf(call, linesOf),
});

const followEvents = route({
  method: 'GET',
  path: '/stager/v1/builds/:guid/events',
  summary:
    'Follow what the staging of a build tells, in the form of `stager stage --json`, as server-sent events',
  access: 'signed-in',
  params: ByGuid,
  query: FollowQuery,
  answers: { 200: 'bytes' },
  handle: async (call) => await streamOf(call, toldOf),
});

export const buildLogRoutes = [follow, followEvents];

/** What a stream is made of: numbered pieces after a number, each with its name and its JSON. */
export type Load = (
  queries: Queries,
  build: Guid,
  after: number,
) => Promise<readonly { readonly sequence: number; readonly name: string; readonly data: string }[]>;

const linesOf: Load = async (queries, build, after) =>
  (await linesAfter(queries, build, { after, most: LINES })).map(({ sequence, at, stream, text }) => ({
    sequence,
    name: 'line',
    data: JSON.stringify({ sequence, at: new Date(at / 1000).toISOString(), stream, text }),
  }));

const toldOf: Load = async (queries, build, after) =>
  (await eventsAfter(queries, build, { after, most: LINES })).map(({ sequence, event }) => ({
    sequence,
    name: 'event',
    data: event,
  }));

/** The stream of a build that the caller sees. @throws CfError ResourceNotFound. */
export async function streamOf(
  call: Pick<
    Call<{ guid: Guid }, z.output<typeof FollowQuery>, unknown>,
    'params' | 'query' | 'caller' | 'service' | 'request'
  >,
  load: Load,
) {
  const { params, query, caller, service, request } = call;
  const log = await service.database.queries
    .selectFrom('build_logs')
    .select('build_guid')
    .where('build_guid', '=', params.guid)
    .where(inVisibleSpace(caller, 'build_logs.space_guid'))
    .executeTakeFirst();
  if (log === undefined) throw notFound('Build');
  const header = request.headers['last-event-id'];
  const after = typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : (query.after ?? 0);
  const stops = new AbortController();
  const events = eventsOf(params.guid, { service, after, follow: query.follow !== 'false', stops, load });
  const stream = Readable.from(events, { objectMode: false });
  stream.once('close', () => stops.abort());
  return { status: 200 as const, stream, headers: { 'content-type': 'text/event-stream; charset=utf-8' } };
}

async function* eventsOf(
  build: Guid,
  how: {
    readonly service: HttpService;
    readonly after: number;
    readonly follow: boolean;
    readonly stops: AbortController;
    readonly load: Load;
  },
): AsyncGenerator<string> {
  const { service, stops } = how;
  const { queries } = service.database;
  let { after } = how;
  // Something to flush the headers with.
  yield ': the log of a build\n\n';
  for (let quiet = 0; !stops.signal.aborted; quiet++) {
    // Asked before the lines are: what is closed has no line that is not seen now.
    const isOver = await isLogClosed(queries, build);
    const pieces = await how.load(queries, build, after);
    for (const { sequence, name, data } of pieces) {
      yield `id: ${sequence}\nevent: ${name}\ndata: ${data}\n\n`;
      after = sequence;
    }
    if (pieces.length === LINES) continue;
    if (isOver || !how.follow) {
      yield `event: end\ndata: ${JSON.stringify({ closed: isOver })}\n\n`;
      return;
    }
    if (pieces.length > 0) quiet = 0;
    else if (quiet % LIFE === LIFE - 1) yield ': \n\n';
    await something(service, build, stops.signal);
  }
}

async function something({ staging }: HttpService, build: Guid, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, LOOK_MS);
  const unwatch = staging.watch(build, resolve);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  clearTimeout(timer);
  unwatch();
  signal.removeEventListener('abort', stop);
}
