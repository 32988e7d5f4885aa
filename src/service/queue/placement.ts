/**
 * Which build a worker takes next. The order is that of the view build_queue; out of it a worker takes the first that
 * fits into what it has left. The worker that built an app last is preferred for a short time. Choosing and claiming are
 * one transaction, and one chooses at a time, so that turns are exact; pg-boss says whether a claim is free.
 */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Guid } from '../../words/ids.ts';
import type { Row } from '../state/columns.ts';
import type { Database, Queries } from '../state/database.ts';
import type { BuildsTable } from '../state/schema-apps.ts';
import type { Claim } from '../state/work-queue.ts';
import { takesBuilds, type WorkerIdentity } from './workers.ts';

/** Any number that no other lock of ours has. */
const PLACEMENT_LOCK = 7_402_001;
/** Seconds that a build waits for the worker that built its app before. */
const PREFERENCE_S = 2;
/** Looked at in one turn: those whose claim is not free yet are skipped. */
const CANDIDATES = 10;

export interface Taken {
  readonly claim: Claim;
  /** The row with its new fence; undefined when this worker has it already and only its claim had run out. */
  readonly build: Row<BuildsTable> | undefined;
}

export type NextBuild =
  | { readonly kind: 'taken'; readonly taken: Taken }
  | { readonly kind: 'none' | 'later' };

/**
 * Takes the next build for this worker.
 *
 * @param running what it has: their claims may have run out while it stood still.
 * @returns `later` when one waits a moment for the worker that is preferred for it.
 */
export async function takeNextBuild(
  { queries, queue }: Pick<Database, 'queries' | 'queue'>,
  worker: WorkerIdentity,
  running: readonly Guid[],
): Promise<NextBuild> {
  return await queries.transaction().execute(async (transaction): Promise<NextBuild> => {
    await lockPlacement(transaction);
    const candidates = await candidatesFor(transaction, worker);
    for (const { guid, space_guid } of candidates.filter(({ held }) => !held)) {
      const claim = await queue.takeThis('builds', guid, transaction);
      if (claim === undefined) continue;
      if (running.includes(guid)) return { kind: 'taken', taken: { claim, build: undefined } };
      const build = await claimRow(transaction, worker, guid);
      if (build === undefined) {
        await queue.drop('builds', guid, transaction);
        continue;
      }
      await countTurn(transaction, space_guid);
      return { kind: 'taken', taken: { claim, build } };
    }
    return { kind: candidates.some(({ held }) => held) ? 'later' : 'none' };
  });
}

/** Nobody else chooses until the end of the transaction. It comes before every other lock, or two wait for each other. */
export async function lockPlacement(transaction: Queries): Promise<void> {
  await sql`select pg_advisory_xact_lock(${PLACEMENT_LOCK})`.execute(transaction);
}

const Candidates = z.array(
  z.object({ guid: z.custom<Guid>(), space_guid: z.custom<Guid>(), held: z.boolean() }),
);

async function candidatesFor(queries: Queries, { guid, name, capacity }: WorkerIdentity) {
  const { slots, memoryMb = null, diskMb = null, stacks = null } = capacity;
  const { rows } = await sql`
    with used as (
      select coalesce(sum(staging_memory_in_mb), 0) as memory, coalesce(sum(staging_disk_in_mb), 0) as disk,
        count(*) as builds
      from builds where state = 'STAGING' and claimed_by = ${guid})
    select q.guid, q.space_guid, coalesce(
        q.created_at > now() - ${PREFERENCE_S} * interval '1 second' and p.worker_name <> ${name}
        and exists (
          select 1 from workers w where w.name = p.worker_name and ${takesBuilds('w')}
            and w.slots > (select count(*) from builds r where r.claimed_by = w.guid and r.state = 'STAGING')),
        false) as held
    from build_queue q cross join used u
      left join lateral (
        select worker_name from builds e where e.app_guid = q.app_guid and e.state = 'STAGED'
        order by e.created_at desc, e.id desc limit 1) p on true
    where q.is_first and (q.claimed_by = ${guid} or u.builds < ${slots})
      and (${memoryMb}::bigint is null or u.memory + q.staging_memory_in_mb <= ${memoryMb}::bigint)
      and (${diskMb}::bigint is null or u.disk + q.staging_disk_in_mb <= ${diskMb}::bigint)
      and (${stacks}::text[] is null or q.stack is null or q.stack = any(${stacks}::text[]) or q.rootfs = any(${stacks}::text[]))
    order by q.position limit ${CANDIDATES}`.execute(queries);
  return Candidates.parse(rows);
}

async function claimRow(queries: Queries, worker: WorkerIdentity, build: Guid) {
  return await queries
    .updateTable('builds')
    .set({
      claimed_by: worker.guid,
      worker_name: worker.name,
      claimed_at: sql<Date>`now()`,
      heartbeat_at: sql<Date>`now()`,
      wait_reason: sql<string>`null`,
      unfit_since: sql<Date>`null`,
      fence: sql<number>`fence + 1`,
      attempts: sql<number>`attempts + 1`,
    })
    .where('guid', '=', build)
    .where('state', '=', 'STAGING')
    .returningAll()
    .executeTakeFirst();
}

async function countTurn(queries: Queries, space: Guid): Promise<void> {
  await queries
    .insertInto('space_turns')
    .values({ space_guid: space, taken_at: sql<Date>`clock_timestamp()` })
    .onConflict((on) => on.column('space_guid').doUpdateSet({ taken_at: sql<Date>`clock_timestamp()` }))
    .execute();
}
