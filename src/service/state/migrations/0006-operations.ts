/**
 * What other systems are told, and what was done by itself.
 *
 * `build_ends` is the feed: its numbers are given out one transaction after the other (under a lock), so that a reader who
 * has seen a number has seen all below it. A webhook's secrets overlap while they are changed: the newest comes first, and
 * an old one signs as well until it ends. `upkeep_runs` has one row for each task and hour, whichever server did it.
 */
import { type Kysely, sql } from 'kysely';
import { RESOURCE } from './0001-tenancy.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS: readonly string[] = [
  `alter table builds add column trace jsonb not null default '{}'`,

  `create table build_ends (
     id bigint generated always as identity primary key,
     at timestamptz not null default now(),
     build_guid text not null,
     app_guid text not null,
     app_name text not null,
     space_guid text not null,
     state text not null check (state in ('STAGED', 'FAILED')),
     error_id text,
     error_description text)`,
  'create index build_ends_space on build_ends (space_guid, id)',
  'create index build_ends_at on build_ends (at)',

  `create table webhooks (${RESOURCE},
     name text not null,
     url text not null,
     space_guid text references spaces (guid) on delete cascade,
     allow_private boolean not null default false,
     enabled boolean not null default true,
     secrets jsonb not null)`,
  'create unique index webhooks_name on webhooks (lower(name))',

  `create table webhook_deliveries (${RESOURCE},
     webhook_guid text not null references webhooks (guid) on delete cascade,
     build_end_id bigint not null references build_ends (id) on delete cascade,
     state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'DEAD')),
     attempts integer not null default 0,
     last_status integer,
     last_error text)`,
  'create index webhook_deliveries_webhook on webhook_deliveries (webhook_guid, id)',
  'create index webhook_deliveries_end on webhook_deliveries (build_end_id)',

  `create table upkeep_runs (
     id bigint generated always as identity primary key,
     task text not null,
     slot timestamptz not null,
     server text not null,
     started_at timestamptz not null default now(),
     ended_at timestamptz,
     outcome text check (outcome in ('done', 'failed')),
     facts jsonb not null default '{}')`,
  'create unique index upkeep_runs_once on upkeep_runs (task, slot)',
];
