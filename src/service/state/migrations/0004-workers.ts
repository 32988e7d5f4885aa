/**
 * Workers in several processes, and the order in which they take builds.
 *
 * Several builds of an app may be STAGING; one is being worked on, and an index says so. The order is round robin over
 * spaces: the n-th build of a space is as far back as the n-th of any other, counted from those that run, and the space
 * that was served longest ago comes first.
 */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS: readonly string[] = [
  `create table workers (
     guid text primary key,
     name text not null,
     version text not null,
     memory_in_mb bigint,
     disk_in_mb bigint,
     slots integer not null,
     stacks jsonb,
     draining boolean not null default false,
     started_at timestamptz not null default now(),
     heartbeat_at timestamptz not null default now())`,
  'create index workers_heartbeat on workers (heartbeat_at)',

  `create table space_turns (
     space_guid text primary key references spaces (guid) on delete cascade,
     taken_at timestamptz not null)`,

  'alter table builds add column worker_name text',
  'alter table builds add column unfit_since timestamptz',
  'alter table builds add column wait_reason text',
  'drop index builds_one_staging',
  `create unique index builds_one_claimed on builds (app_guid)
     where state = 'STAGING' and claimed_by is not null`,
  `create index builds_waiting on builds (app_guid, id) where state = 'STAGING'`,
  `create index builds_durations on builds (finished_at) where state = 'STAGED'`,

  // What waits, in the order in which it is taken. A claim of somebody silent counts as none.
  `create view build_queue as
     select guid, id, app_guid, space_guid, staging_memory_in_mb, staging_disk_in_mb, stack, rootfs, created_at,
       claimed_by, is_first, wait_reason, row_number() over (order by turn, taken_at nulls first, id) as position
     from (
       select b.guid, b.id, b.app_guid, a.space_guid, b.staging_memory_in_mb, b.staging_disk_in_mb, b.created_at,
         b.claimed_by, b.wait_reason, b.lifecycle_data ->> 'stack' as stack, s.rootfs, t.taken_at,
         not exists (select 1 from builds o where o.app_guid = b.app_guid and o.state = 'STAGING'
           and o.guid <> b.guid and (o.id < b.id or o.claimed_by is not null)) as is_first,
         row_number() over (partition by a.space_guid order by b.id) + coalesce(r.running, 0) as turn
       from builds b
       join apps a on a.guid = b.app_guid
       left join stacks s on s.name = b.lifecycle_data ->> 'stack'
       left join space_turns t on t.space_guid = a.space_guid
       left join (
         select x.space_guid, count(*) as running from builds y join apps x on x.guid = y.app_guid
         where y.state = 'STAGING' and y.claimed_by is not null
           and y.heartbeat_at > now() - interval '20 seconds'
         group by x.space_guid) r on r.space_guid = a.space_guid
       where b.state = 'STAGING'
         and (b.claimed_by is null or b.heartbeat_at is null or b.heartbeat_at <= now() - interval '20 seconds')
     ) waiting`,
];
