/**
 * What the servers do by themselves, once an hour: each task is done by the server that writes it down first, and its row
 * says when it ended, how, and what it did. `stager admin retention` does the same at once.
 */
import { sql } from 'kysely';
import { json } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';

/** What a task did, in numbers. */
export type UpkeepFacts = Readonly<Record<string, number>>;

/** name → its work. */
export type UpkeepTasks = Readonly<Record<string, () => Promise<UpkeepFacts>>>;

/** Who does it, and for which hour; without, for this moment. */
export interface UpkeepTurn {
  readonly server: string;
  readonly hourly: boolean;
}

export interface UpkeepRun {
  readonly task: string;
  readonly outcome: 'done' | 'failed';
  readonly facts: UpkeepFacts;
  readonly error?: unknown;
}

/** Days that the rows are kept. */
const KEEP_DAYS = 90;

/** Does those tasks that nobody has begun in this turn. One that fails does not keep the others from being done. */
export async function runUpkeep(
  queries: Queries,
  tasks: UpkeepTasks,
  turn: UpkeepTurn,
): Promise<readonly UpkeepRun[]> {
  const runs: UpkeepRun[] = [];
  for (const [task, work] of Object.entries(tasks)) {
    const id = await begin(queries, task, turn);
    if (id === undefined) continue;
    const run = await work().then(
      (facts): UpkeepRun => ({ task, outcome: 'done', facts }),
      (error: unknown): UpkeepRun => ({ task, outcome: 'failed', facts: {}, error }),
    );
    await end(queries, id, run);
    runs.push(run);
  }
  await sql`delete from upkeep_runs where started_at < now() - make_interval(days => ${KEEP_DAYS})`.execute(
    queries,
  );
  return runs;
}

/** @returns undefined when another has it. */
async function begin(
  queries: Queries,
  task: string,
  { server, hourly }: UpkeepTurn,
): Promise<number | undefined> {
  const slot = hourly ? sql<Date>`date_trunc('hour', now())` : sql<Date>`clock_timestamp()`;
  const row = await queries
    .insertInto('upkeep_runs')
    .values({ task, slot, server })
    .onConflict((on) => on.columns(['task', 'slot']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

async function end(queries: Queries, id: number, { outcome, facts, error }: UpkeepRun): Promise<void> {
  const said = error instanceof Error ? { error: error.message } : {};
  await queries
    .updateTable('upkeep_runs')
    .set({ ended_at: sql<Date>`clock_timestamp()`, outcome, facts: json({ ...facts, ...said }) })
    .where('id', '=', id)
    .execute();
}

/** The newest first. */
export async function listUpkeep(queries: Queries, most: number) {
  return await queries.selectFrom('upkeep_runs').selectAll().orderBy('id', 'desc').limit(most).execute();
}
