/** What a waiting build shows: its position, the expected wait, and the reason if no worker is large enough. */
import { sql } from 'kysely';
import { z } from 'zod';
import type { Guid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { isThere, takesBuilds } from './workers.ts';

/** Of a build that waits. */
export interface QueuePlace {
  /** From 1. */
  readonly position: number;
  /** Seconds; undefined when nobody is there who could take it, or none was staged lately. */
  readonly expectedWaitS: number | undefined;
  readonly reason: string;
}

const Row = z.object({
  position: z.coerce.number(),
  is_first: z.boolean(),
  reason: z.string().nullable(),
  slots: z.coerce.number(),
  seconds: z.coerce.number().nullable(),
});

/** @returns undefined when it does not wait. */
export async function queuePlaceOf(queries: Queries, build: Guid): Promise<QueuePlace | undefined> {
  const { rows } = await sql`
    select q.position, q.is_first, q.wait_reason as reason,
      (select coalesce(sum(w.slots), 0) from workers w where ${takesBuilds('w')}) as slots,
      (select avg(extract(epoch from d.finished_at - d.claimed_at)) from (
        select finished_at, claimed_at from builds where state = 'STAGED' and finished_at is not null
        order by finished_at desc limit 20) d) as seconds
    from build_queue q where q.guid = ${build}`.execute(queries);
  const [row] = z.array(Row).parse(rows);
  if (row === undefined) return undefined;
  const { position, slots, seconds } = row;
  const mayEstimate = row.reason === null && slots > 0 && seconds !== null;
  return {
    position,
    expectedWaitS: mayEstimate ? Math.ceil((position * seconds) / slots) : undefined,
    reason: row.reason ?? waitsFor(row),
  };
}

function waitsFor({ is_first, slots, position }: z.output<typeof Row>): string {
  if (!is_first) return 'another build of the app is being staged';
  if (slots === 0) return 'there is no worker';
  return position === 1 ? 'it is next' : `${position - 1} builds are before it`;
}

/** What no worker could be larger than. Undefined: as large as anybody wants. */
export interface Largest {
  readonly memoryMb?: number;
  readonly diskMb?: number;
}

export interface Unfit {
  readonly guid: Guid;
  readonly why: string;
}

/** What no worker that could exist can take. */
export async function findHopeless(queries: Queries, largest: Largest): Promise<readonly Unfit[]> {
  const { memoryMb, diskMb } = largest;
  if (memoryMb === undefined && diskMb === undefined) return [];
  const rows = await queries
    .selectFrom('builds')
    .select(['guid', 'staging_memory_in_mb as memory', 'staging_disk_in_mb as disk'])
    .where('state', '=', 'STAGING')
    .where('claimed_by', 'is', null)
    .where(
      sql<boolean>`(staging_memory_in_mb > ${memoryMb ?? null}::bigint or staging_disk_in_mb > ${diskMb ?? null}::bigint)`,
    )
    .execute();
  return rows.map(({ guid, memory, disk }) => ({
    guid,
    why: `it needs ${memory} MB of memory and ${disk} MB of disk; no worker has more than ${sizes(memoryMb, diskMb)}`,
  }));
}

/**
 * Marks what no living worker is large enough for, with the reason, and unmarks the rest.
 *
 * @returns those that have waited for one for longer than `patienceS` seconds.
 */
export async function markUnfit(queries: Queries, patienceS: number): Promise<readonly Unfit[]> {
  await sql`
    with living as (
      select memory_in_mb, disk_in_mb, stacks, short_of_disk from workers where ${isThere('workers')}),
    judged as (
      select q.guid, case
        when not exists (select 1 from living) then 'no worker is there'
        when not exists (select 1 from living w where ${takesStack}) then 'no worker has the stack ' || q.stack
        when not exists (select 1 from living w where ${takesStack}
            and ${hasMemory})
          then 'no worker has ' || q.staging_memory_in_mb || ' MB of memory'
        when not exists (select 1 from living w where ${takesStack}
            and ${hasMemory} and ${hasDisk})
          then 'no worker has ' || q.staging_disk_in_mb || ' MB of disk beside '
            || q.staging_memory_in_mb || ' MB of memory'
        when not exists (select 1 from living w where ${takesStack}
            and ${hasMemory} and ${hasDisk} and w.short_of_disk is null)
          then 'the disk of each worker that could take it is nearly full'
        end as reason
      from build_queue q)
    update builds b set wait_reason = j.reason,
      unfit_since = case when j.reason is null then null else coalesce(b.unfit_since, now()) end
    from judged j where j.guid = b.guid and b.state = 'STAGING'
      and (b.wait_reason is distinct from j.reason)`.execute(queries);
  const rows = await queries
    .selectFrom('builds')
    .select(['guid', 'wait_reason'])
    .where('state', '=', 'STAGING')
    .where(sql<boolean>`unfit_since < now() - ${patienceS} * interval '1 second'`)
    .execute();
  return rows.map(({ guid, wait_reason }) => ({
    guid,
    why: `${wait_reason ?? 'no worker could take it'}, for ${patienceS} seconds`,
  }));
}

/** An image has no stack: any worker looks at one. */
const takesStack = sql`(q.stack is null or w.stacks is null or w.stacks ? q.stack or w.stacks ? q.rootfs)`;
const hasMemory = sql`coalesce(w.memory_in_mb, q.staging_memory_in_mb) >= q.staging_memory_in_mb`;
const hasDisk = sql`coalesce(w.disk_in_mb, q.staging_disk_in_mb) >= q.staging_disk_in_mb`;

function sizes(memoryMb: number | undefined, diskMb: number | undefined): string {
  const parts = [
    ...(memoryMb === undefined ? [] : [`${memoryMb} MB of memory`]),
    ...(diskMb === undefined ? [] : [`${diskMb} MB of disk`]),
  ];
  return parts.join(' and ');
}
