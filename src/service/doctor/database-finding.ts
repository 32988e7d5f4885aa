/**
 * What `stager doctor` finds of the database of a server, its queue, and its clock. It only asks: nothing is migrated,
 * and a server may be working with it.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { z } from 'zod';
import { type Facts, type Finding, noted } from '../../machine/doctor/finding.ts';
import { StagerError } from '../../words/errors.ts';
import { fleetFigures } from '../metrics/fleet-figures.ts';
import { databaseRefused, type Queries } from '../state/database.ts';
import { migrationsOf, stepsOf } from '../state/migrate.ts';
import { openPostgres } from '../state/postgres.ts';
import type { Schema } from '../state/schema.ts';

/** `server_version_num` of the oldest that is taken. */
const OLDEST = 140_000;
/** A process takes ten connections and one that listens. */
const NEEDED_CONNECTIONS = 11;
/** Seconds. */
const LONG_WAIT_S = 900;

const Row = z.object({
  version: z.coerce.number(),
  named: z.string(),
  standby: z.boolean(),
  read_only: z.boolean(),
  most: z.coerce.number(),
  used: z.coerce.number(),
});
/** What a server says of itself. */
export type ServerFacts = z.output<typeof Row>;

/** @throws StagerError CONFIG_INVALID when it can't be reached. */
export async function databaseFinding(url: string): Promise<Finding<Facts>> {
  return await asking(url, async (queries) => {
    const { rows } = await sql`
      select current_setting('server_version_num')::int as version, current_setting('server_version') as named,
        pg_is_in_recovery() as standby, current_setting('default_transaction_read_only')::boolean as read_only,
        current_setting('max_connections')::int as most,
        (select count(*) from pg_stat_activity where backend_type = 'client backend') as used`.execute(
      queries,
    );
    return judgeDatabase(Row.parse(rows[0]), await migrationsOf(queries));
  });
}

/**
 * @param schema names of the migrations that it has; undefined when it has no tables of ours.
 * @throws StagerError CONFIG_INVALID when a server can't work with it.
 */
export function judgeDatabase(
  { version, named, standby, read_only, most, used }: ServerFacts,
  schema: readonly string[] | undefined,
): Finding<Facts> {
  if (version < OLDEST) throw unusable(`PostgreSQL ${named} is too old`, 'Use PostgreSQL 14 or later.');
  if (standby)
    throw unusable(
      `PostgreSQL ${named} is a standby, which accepts no writes`,
      'Name the primary in --database.',
    );
  if (read_only)
    throw unusable(
      'its transactions are read only',
      'Set default_transaction_read_only to off for the database or the user.',
    );
  const { missing, unknown } = stepsOf(schema ?? []);
  if (unknown.length > 0)
    throw unusable(
      `it was migrated by a newer stager (${unknown.join(', ')})`,
      'Use a stager at least as new as that of the server.',
    );
  const notes: string[] = [];
  if (schema !== undefined && missing.length > 0)
    notes.push(`migrations are missing (${missing.join(', ')}): the next start of a server runs them`);
  if (most - used < NEEDED_CONNECTIONS)
    notes.push(`only ${most - used} of ${most} connections are free: raise max_connections`);
  const tables =
    schema === undefined ? 'no tables yet: the first start of a server creates them' : 'tables are there';
  return noted([`PostgreSQL ${named}, ${tables}`], notes);
}

/** Whether somebody takes what waits. @throws StagerError CONFIG_INVALID when the database can't be reached. */
export async function queueFinding(url: string): Promise<Finding<Facts>> {
  return await asking(url, async (queries) => {
    const { rows } = await sql<{ ours: unknown; queue: unknown }>`
      select to_regclass('build_queue') as ours, to_regclass('queue.job') as queue`.execute(queries);
    const [there] = rows;
    if (there?.ours === null) return noted(['not there yet: the first start of a server creates it']);
    if (there?.queue === null)
      throw unusable('the schema "queue" has no table "job"', 'Start a server, which creates it again.');
    return judgeQueue(await fleetFigures(queries));
  });
}

/** What its figures mean. */
export function judgeQueue(figures: Awaited<ReturnType<typeof fleetFigures>>): Finding<Facts> {
  const { waiting, unfit, oldest_s, running, workers, slots, short_of_disk } = figures;
  const notes: string[] = [];
  if (short_of_disk > 0)
    notes.push(`${short_of_disk} workers take no builds, since their disk is nearly full: make room on it`);
  if (workers === 0 && short_of_disk === 0)
    notes.push('no worker is alive: start stager worker, or stager serve without --no-worker');
  if (workers > 0 && unfit > 0)
    notes.push(`${unfit} of them fit no worker: start one with more --memory, --disk or --stacks`);
  if (oldest_s > LONG_WAIT_S)
    notes.push(`the oldest has waited for ${Math.round(oldest_s / 60)} minutes: start more workers`);
  return noted([`${waiting} waiting, ${running} running; ${workers} workers with ${slots} slots`], notes);
}

/** By the database's own clock, in milliseconds since the epoch. */
export async function databaseTime(url: string): Promise<number> {
  return await asking(url, async (queries) => {
    const { rows } = await sql`select extract(epoch from clock_timestamp()) * 1000 as at`.execute(queries);
    return z.object({ at: z.coerce.number() }).parse(rows[0]).at;
  });
}

/** The embedded one is not opened: a server may have it. @throws StagerError CONFIG_INVALID. */
export async function embeddedFinding(data: string): Promise<Finding<Facts>> {
  const dir = join(data, 'database');
  const there = await stat(join(dir, 'pgdata', 'PG_VERSION')).catch(() => undefined);
  const once = await stat(`${dir}.made`).catch(() => undefined);
  if (there === undefined && once !== undefined)
    throw unusable(`${dir} was there and is gone`, 'Mount it, or restore the data directory from a backup.');
  return noted([
    there === undefined ? `embedded in ${dir}, created at the first start` : `embedded in ${dir}`,
  ]);
}

async function asking<T>(url: string, ask: (queries: Queries) => Promise<T>): Promise<T> {
  const driver = openPostgres(url);
  const queries = new Kysely<Schema>({ dialect: driver.dialect });
  try {
    return await ask(queries);
  } catch (cause) {
    throw databaseRefused({ url }, cause);
  } finally {
    await driver.signals.close();
    await queries.destroy().catch(() => undefined);
    await driver.release();
  }
}

function unusable(why: string, next: string): StagerError {
  return new StagerError('CONFIG_INVALID', why, { next });
}
