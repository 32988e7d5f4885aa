/** The read API of log-cache, as `cf logs` and `cf stage-package` use it. */
import { z } from 'zod';
import { inVisibleSpace } from '../../../../service/access/visible.ts';
import { linesOfApp, logsOfApps } from '../../../../service/builds/log-store.ts';
import { route } from '../../route/define-route.ts';
import { oneOrMoreOf } from '../../route/list-query.ts';
import { GuidText } from '../../route/params.ts';
import { visibleApp } from '../apps/find.ts';
import { clientTime, envelope, ourTime } from './envelopes.ts';

/** log-cache's own. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const nanos = z
  .string()
  .regex(/^-?\d{1,19}$/, { error: 'must be nanoseconds since 1970' })
  .transform((text) => BigInt(text));

const info = route({
  method: 'GET',
  path: '/api/v1/info',
  summary: 'Say which version of log-cache this speaks',
  access: 'anyone',
  answers: { 200: z.object({ version: z.string() }) },
  handle: async () => ({ status: 200, body: { version: '3.0.0' } }),
});

const Envelope = z.object({
  timestamp: z.string(),
  source_id: z.string(),
  instance_id: z.string(),
  tags: z.record(z.string(), z.string()),
  log: z.object({ payload: z.string(), type: z.enum(['OUT', 'ERR']) }),
});

const TYPES = ['ANY', 'LOG', 'COUNTER', 'GAUGE', 'TIMER', 'EVENT'] as const;

const read = route({
  method: 'GET',
  path: '/api/v1/read/:source_id',
  summary: 'Read log lines of an app, oldest first unless `descending`',
  access: 'signed-in',
  params: z.object({ source_id: GuidText }),
  query: z.strictObject({
    start_time: nanos.optional(),
    end_time: nanos.optional(),
    limit: z
      .string()
      .regex(/^\d{1,6}$/, { error: 'must be a number' })
      .transform(Number)
      .optional(),
    descending: z.enum(['true', 'false', '']).optional(),
    envelope_types: oneOrMoreOf(TYPES).optional(),
    name_filter: z.string().max(1000).optional(),
  }),
  answers: { 200: z.object({ envelopes: z.object({ batch: z.array(Envelope) }) }) },
  handle: async (call) => {
    const { query, service } = call;
    const app = await visibleApp(call, call.params.source_id);
    const { start_time, end_time, limit = DEFAULT_LIMIT, envelope_types: types } = query;
    const newestFirst = query.descending === 'true';
    const from = start_time === undefined ? 0 : ourTime(start_time);
    service.staging.followers.asked(app.guid, newestFirst ? 0 : from);
    const isWanted = types === undefined || types.includes('LOG') || types.includes('ANY');
    const range = {
      from,
      to: end_time === undefined || end_time <= 0n ? undefined : ourTime(end_time),
      most: Math.min(limit, MAX_LIMIT),
      newestFirst,
    };
    const lines = isWanted ? await linesOfApp(service.database.queries, app.guid, range) : [];
    return { status: 200, body: { envelopes: { batch: lines.map((line) => envelope(app.guid, line)) } } };
  },
});

const Meta = z.object({
  count: z.string(),
  expired: z.string(),
  oldestTimestamp: z.string(),
  newestTimestamp: z.string(),
});

const meta = route({
  method: 'GET',
  path: '/api/v1/meta',
  summary: 'Say how many log lines there are of which apps',
  access: 'signed-in',
  answers: { 200: z.object({ meta: z.record(z.string(), Meta) }) },
  handle: async ({ caller, service }) => {
    const apps = await logsOfApps(service.database.queries, inVisibleSpace(caller, 'build_logs.space_guid'));
    const rows = apps.map(({ app, lines, oldest, newest }) => [
      app,
      {
        count: String(lines),
        expired: '0',
        oldestTimestamp: clientTime(Number(oldest)),
        newestTimestamp: clientTime(Number(newest)),
      },
    ]);
    return { status: 200, body: { meta: Object.fromEntries(rows) } };
  },
});

export const logCacheRoutes = [info, read, meta];
