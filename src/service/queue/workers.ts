/** The workers: a row for each process, which counts as alive while it reports every few seconds. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { WorkersTable } from '../state/schema-workers.ts';

/** Seconds. Who said nothing for so long counts as dead; that of claims in the queue is the same. */
export const SILENT_S = 20;

/** What a worker has to give; undefined: as much as is asked for. Sizes in MB. */
export interface Capacity {
  readonly slots: number;
  readonly memoryMb?: number;
  readonly diskMb?: number;
  /** Names of stacks, or of their root file systems. */
  readonly stacks?: readonly string[];
}

export interface WorkerIdentity {
  readonly guid: Guid;
  readonly name: string;
  readonly version: string;
  readonly capacity: Capacity;
}

export type WorkerRow = Row<WorkersTable>;

/** What keeps a worker from taking builds. */
export interface Hindrances {
  /** It ends what it has, and then itself. */
  readonly draining: boolean;
  /** Why its disk has no room for builds. */
  readonly shortOfDisk: string | undefined;
}

/** A worker that is there and does not end. */
export function isThere(table: string) {
  return sql<boolean>`(not ${sql.ref(`${table}.draining`)} and ${isAlive(table)})`;
}

/** A worker that is there and takes builds. */
export function takesBuilds(table: string) {
  return sql<boolean>`(${isThere(table)} and ${sql.ref(`${table}.short_of_disk`)} is null)`;
}

/** Says that it is there; again if it was forgotten meanwhile. */
export async function sayAlive(
  queries: Queries,
  { guid, name, version, capacity }: WorkerIdentity,
  { draining, shortOfDisk }: Hindrances = { draining: false, shortOfDisk: undefined },
): Promise<void> {
  const { slots, memoryMb = null, diskMb = null, stacks } = capacity;
  const now = { draining, short_of_disk: shortOfDisk ?? null };
  await queries
    .insertInto('workers')
    .values({
      guid,
      name,
      version,
      slots,
      memory_in_mb: memoryMb,
      disk_in_mb: diskMb,
      ...(stacks !== undefined && { stacks: json(stacks) }),
      ...now,
    })
    .onConflict((on) => on.column('guid').doUpdateSet({ heartbeat_at: sql<Date>`now()`, ...now }))
    .execute();
}

/** It ends by itself. */
export async function forgetWorker(queries: Queries, guid: Guid): Promise<void> {
  await queries.deleteFrom('workers').where('guid', '=', guid).execute();
}

/** Those that were silent for an hour. */
export async function forgetDeadWorkers(queries: Queries): Promise<number> {
  const { numDeletedRows } = await queries
    .deleteFrom('workers')
    .where(sql<boolean>`heartbeat_at < now() - interval '1 hour'`)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** With what runs there. Silent ones too, until they are forgotten. */
export async function listWorkers(queries: Queries) {
  return await queries
    .selectFrom('workers')
    .selectAll()
    .select(isAlive('workers').as('alive'))
    .select((eb) =>
      eb
        .selectFrom('builds')
        .whereRef('builds.claimed_by', '=', 'workers.guid')
        .where('builds.state', '=', 'STAGING')
        .select(({ fn }) => fn.countAll<number>().as('running'))
        .as('running'),
    )
    .orderBy('name')
    .orderBy('started_at')
    .execute();
}

function isAlive(table: string) {
  return sql<boolean>`${sql.ref(`${table}.heartbeat_at`)} > now() - ${SILENT_S} * interval '1 second'`;
}
