/** Lines of builds in the database: written in batches, read by build and by app. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';

/** `at` in whole microseconds since 1970; grows strictly within an app. */
export interface LogLine {
  readonly sequence: number;
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Rows in one insert. */
const ROWS = 500;

/** Whose log it is, and the fence that its writer was given. */
export interface LogPlace {
  readonly build: Guid;
  readonly app: Guid;
  readonly fence: number;
}

/**
 * Adds to the log of a build. Can be repeated: what is there already stays.
 *
 * @returns false when another worker has the build by now: nothing is written then.
 */
export async function appendLog(
  queries: Queries,
  place: LogPlace,
  { lines, events }: { readonly lines: readonly LogLine[]; readonly events: readonly NumberedEvent[] },
): Promise<boolean> {
  return await queries.transaction().execute(async (transaction) => {
    const ours = await transaction
      .selectFrom('builds')
      .select('guid')
      .where('guid', '=', place.build)
      .where('fence', '=', place.fence)
      .forShare()
      .executeTakeFirst();
    if (ours === undefined) return false;
    await insertLines(transaction, place, lines);
    await insertEvents(transaction, place.build, events);
    return true;
  });
}

async function insertLines(
  queries: Queries,
  place: { readonly build: Guid; readonly app: Guid },
  lines: readonly LogLine[],
): Promise<void> {
  for (let start = 0; start < lines.length; start += ROWS) {
    await queries
      .insertInto('log_lines')
      .values(
        lines.slice(start, start + ROWS).map(({ sequence, at, stream, text }) => ({
          build_guid: place.build,
          app_guid: place.app,
          sequence,
          at_us: at,
          stream,
          text,
        })),
      )
      .onConflict((on) => on.doNothing())
      .execute();
  }
}

/** One event of a staging; `event` is its JSON. */
export interface NumberedEvent {
  readonly sequence: number;
  readonly event: string;
}

async function insertEvents(queries: Queries, build: Guid, events: readonly NumberedEvent[]): Promise<void> {
  for (let start = 0; start < events.length; start += ROWS) {
    const rows = events.slice(start, start + ROWS);
    await queries
      .insertInto('build_events')
      .values(rows.map(({ sequence, event }) => ({ build_guid: build, sequence, event })))
      .onConflict((on) => on.doNothing())
      .execute();
  }
}

export async function eventsAfter(
  queries: Queries,
  build: Guid,
  { after, most }: { readonly after: number; readonly most: number },
): Promise<readonly NumberedEvent[]> {
  const rows = await queries
    .selectFrom('build_events')
    .select(['sequence', 'event'])
    .where('build_guid', '=', build)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(most)
    .execute();
  return rows.map(({ sequence, event }) => ({ sequence: Number(sequence), event }));
}

/** Where a log goes on: after what an earlier attempt wrote, and after every line of the app. */
export async function logEnd(queries: Queries, place: { readonly build: Guid; readonly app: Guid }) {
  const row = await queries
    .selectNoFrom((eb) => [
      eb
        .selectFrom('log_lines')
        .where('build_guid', '=', place.build)
        .select(({ fn }) => fn.max('sequence').as('sequence'))
        .as('sequence'),
      eb
        .selectFrom('log_lines')
        .where('app_guid', '=', place.app)
        .select(({ fn }) => fn.max('at_us').as('at'))
        .as('at'),
      eb
        .selectFrom('build_events')
        .where('build_guid', '=', place.build)
        .select(({ fn }) => fn.max('sequence').as('sequence'))
        .as('events'),
      sql<number>`extract(epoch from clock_timestamp()) * 1000`.as('now'),
    ])
    .executeTakeFirstOrThrow();
  return {
    sequence: Number(row.sequence ?? 0),
    at: Number(row.at ?? 0),
    events: Number(row.events ?? 0),
    now: Math.floor(Number(row.now)),
  };
}

/** No line follows, unless another worker has the build by now. */
export async function closeLog(
  queries: Queries,
  { build, fence }: Pick<LogPlace, 'build' | 'fence'>,
): Promise<void> {
  await queries
    .updateTable('build_logs')
    .set({ closed_at: sql<Date>`now()` })
    .where('build_guid', '=', build)
    .where((eb) =>
      eb.exists(eb.selectFrom('builds').select('guid').where('guid', '=', build).where('fence', '=', fence)),
    )
    .execute();
}

export async function isLogClosed(queries: Queries, build: Guid): Promise<boolean> {
  const row = await queries
    .selectFrom('build_logs')
    .select('closed_at')
    .where('build_guid', '=', build)
    .executeTakeFirst();
  return row === undefined || row.closed_at !== null;
}

export async function linesAfter(
  queries: Queries,
  build: Guid,
  { after, most }: { readonly after: number; readonly most: number },
): Promise<readonly LogLine[]> {
  const rows = await queries
    .selectFrom('log_lines')
    .select(['sequence', 'at_us', 'stream', 'text'])
    .where('build_guid', '=', build)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(most)
    .execute();
  return rows.map(lineOf);
}

/** Times in microseconds; `to` is not included. */
export interface AppLogRange {
  readonly from: number;
  readonly to: number | undefined;
  readonly most: number;
  readonly newestFirst: boolean;
}

export async function linesOfApp(
  queries: Queries,
  app: string,
  range: AppLogRange,
): Promise<readonly LogLine[]> {
  let query = queries
    .selectFrom('log_lines')
    .select(['sequence', 'at_us', 'stream', 'text'])
    .where('app_guid', '=', sql<Guid>`${app}`)
    .where('at_us', '>=', range.from)
    .orderBy('at_us', range.newestFirst ? 'desc' : 'asc')
    .limit(range.most);
  if (range.to !== undefined) query = query.where('at_us', '<', range.to);
  return (await query.execute()).map(lineOf);
}

/** What there is of each app that `isVisible` lets through; times in microseconds. */
export async function logsOfApps(queries: Queries, isVisible: ReturnType<typeof sql<boolean>>) {
  return await queries
    .selectFrom('log_lines')
    .innerJoin('build_logs', 'build_logs.build_guid', 'log_lines.build_guid')
    .where(isVisible)
    .groupBy('log_lines.app_guid')
    .select(({ fn }) => [
      'log_lines.app_guid as app',
      fn.countAll<number>().as('lines'),
      fn.min('log_lines.at_us').as('oldest'),
      fn.max('log_lines.at_us').as('newest'),
    ])
    .execute();
}

/** Forgets the logs of builds that began longer ago than that and are over. */
export async function forgetOldLogs(queries: Queries, ms: number): Promise<number> {
  const { numDeletedRows } = await queries
    .deleteFrom('build_logs')
    .where('closed_at', 'is not', null)
    .where(sql<boolean>`created_at < now() - ${ms} * interval '1 millisecond'`)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** A row as a line. */
export function lineOf(row: {
  readonly sequence: number;
  readonly at_us: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}): LogLine {
  return { sequence: Number(row.sequence), at: Number(row.at_us), stream: row.stream, text: row.text };
}
