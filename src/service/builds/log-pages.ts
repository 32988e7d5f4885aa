/** The log of a build page by page: where it ends, its lines from some place on, and its phases. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { type LogLine, lineOf } from './log-store.ts';

/** The number of the last line; 0 when there is none. */
export async function lastLineOf(queries: Queries, build: Guid): Promise<number> {
  const row = await queries
    .selectFrom('log_lines')
    .where('build_guid', '=', build)
    .select(({ fn }) => fn.max('sequence').as('last'))
    .executeTakeFirst();
  return Number(row?.last ?? 0);
}

/** Colours are not part of what is looked for. */
const COLOUR = String.raw`\x1B\[[0-9;:]*m`;

/** Lines that have `text` in them, without regard to case. */
export async function linesWith(
  queries: Queries,
  build: Guid,
  { text, most }: { readonly text: string; readonly most: number },
): Promise<readonly LogLine[]> {
  const rows = await queries
    .selectFrom('log_lines')
    .select(['sequence', 'at_us', 'stream', 'text'])
    .where('build_guid', '=', build)
    .where(
      sql<boolean>`strpos(lower(regexp_replace(text, ${COLOUR}, '', 'g')), lower(${text.replaceAll('\0', '')})) > 0`,
    )
    .orderBy('sequence')
    .limit(most)
    .execute();
  return rows.map(lineOf);
}

/** Events of phases, as JSON. There are a few for each buildpack. */
const MOST_EVENTS = 1000;

export async function phaseEventsOf(queries: Queries, build: Guid): Promise<readonly string[]> {
  const rows = await queries
    .selectFrom('build_events')
    .select('event')
    .where('build_guid', '=', build)
    // What a script wrote can't look like this: its quotes are escaped.
    .where('event', 'like', '%"type":"phase-%')
    .orderBy('sequence')
    .limit(MOST_EVENTS)
    .execute();
  return rows.map(({ event }) => event);
}
