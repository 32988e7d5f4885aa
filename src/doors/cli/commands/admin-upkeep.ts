/** `stager admin retention`, `upkeep` and `reindex`: what servers do by themselves, and what they do not. */
import { hostname } from 'node:os';
import { sql } from 'kysely';
import { z } from 'zod';
import { findLostBytes } from '../../../service/backup/lost-bytes.ts';
import { listUpkeep, runUpkeep } from '../../../service/builds/upkeep.ts';
import { upkeepTasks } from '../../../service/builds/upkeep-tasks.ts';
import type { Database } from '../../../service/state/database.ts';
import { CODES } from '../../../words/errors.ts';
import { formatCount } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';
import { withState } from './admin-place.ts';
import { stagingMeans } from './serve-staging.ts';

/** Rows of the list. */
const SHOWN = 50;

/** Does at once what a server does every hour, by the settings given here. */
export async function adminRetention(context: Context): Promise<number> {
  const { output } = context;
  const runs = await withState(context, async ({ database: { queries }, stager, data }) => {
    const tasks = upkeepTasks({ queries, means: stagingMeans(stager, data) });
    return await runUpkeep(queries, tasks, { server: `${hostname()} (stager admin)`, hourly: false });
  });
  for (const { task, outcome, facts, error } of runs) {
    const said = error instanceof Error ? error.message : undefined;
    if (output.json) output.object({ task, outcome, facts, ...(said !== undefined && { error: said }) });
    else output.line(`${task}: ${said ?? textOf(facts)}`);
  }
  return runs.every(({ outcome }) => outcome === 'done') ? 0 : 1;
}

/** What was done, newest first. */
export async function adminUpkeep(context: Context): Promise<number> {
  const { output } = context;
  const rows = await withState(context, async ({ database }) => await listUpkeep(database.queries, SHOWN));
  if (output.json) for (const row of rows) output.object(row);
  else {
    const lines = rows.map(({ started_at: at, task, outcome, server, facts }) => [
      at.toISOString(),
      task,
      outcome ?? 'not ended',
      server,
      textOf(facts),
    ]);
    for (const line of table(lines)) output.line(line);
  }
  return 0;
}

function textOf(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts)
    .map(([what, value]) => `${what} ${String(value)}`)
    .join(', ');
}

/** Rebuilds the indexes of the database, and names rows whose bytes are gone. 1 when there are any. */
export async function adminReindex(context: Context): Promise<number> {
  const { output, signal } = context;
  const found = await withState(context, async ({ database, stager }) => ({
    indexes: await reindex(database),
    lost: await findLostBytes({ queries: database.queries, blobs: await stager.blobs(), signal }),
  }));
  if (output.json) output.object(found);
  else {
    output.line(`rebuilt ${formatCount(found.indexes, 'index', 'indexes')}`);
    for (const { kind, guid, app } of found.lost)
      output.line(`the bytes of ${kind} ${guid} of app ${app ?? 'none'} are gone`);
  }
  return found.lost.length === 0 ? 0 : CODES.BLOB_NOT_FOUND.exit;
}

const Names = z.array(z.object({ name: z.string() }));

/** One after the other, beside a server that works with them where the database is a server. */
async function reindex({ queries, kind }: Database): Promise<number> {
  return await queries.connection().execute(async (connection) => {
    const { rows } = await sql`select format('%I.%I', schemaname, indexname) as name from pg_indexes
      where schemaname in (current_schema(), 'queue') order by 1`.execute(connection);
    await sql`set statement_timeout = 0`.execute(connection);
    const names = Names.parse(rows);
    const how = kind === 'postgres' ? 'concurrently ' : '';
    for (const { name } of names) await sql.raw(`reindex index ${how}${name}`).execute(connection);
    await sql`analyze`.execute(connection);
    await sql`reset statement_timeout`.execute(connection);
    return names.length;
  });
}
