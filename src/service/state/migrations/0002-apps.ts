/**
 * Apps and what belongs to one: processes, sidecars, packages, builds, droplets.
 *
 * `builds` carries what several workers need: who works on it (`claimed_by`), when that was last known
 * (`heartbeat_at`), and a fencing token (`fence`) that grows with every claim; a worker's writes name the fence that it
 * was given and change nothing once another has the build. One build an app may be STAGING: an index says so, not a
 * look beforehand. The droplet that an app uses is set null when the droplet goes.
 */
import { type Kysely, sql } from 'kysely';
import { METADATA, RESOURCE } from './0001-tenancy.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS: readonly string[] = [
  `create table apps (${RESOURCE}, ${METADATA},
     name text not null,
     space_guid text not null references spaces (guid),
     desired_state text not null default 'STOPPED' check (desired_state in ('STARTED', 'STOPPED')),
     lifecycle_type text not null default 'buildpack',
     buildpacks jsonb not null default '[]',
     stack text,
     environment_variables jsonb not null default '{}',
     features jsonb not null default '{}',
     current_droplet_guid text,
     deleting boolean not null default false)`,
  'create unique index apps_name on apps (space_guid, lower(name))',
  'create index apps_created on apps (space_guid, created_at, id)',
  'create index apps_labels on apps using gin (labels)',

  `create table processes (${RESOURCE}, ${METADATA},
     app_guid text not null references apps (guid) on delete cascade,
     type text not null,
     command text,
     instances integer not null,
     memory_in_mb integer not null,
     disk_in_mb integer not null,
     log_rate_limit_in_bytes_per_second integer not null default -1,
     health_check jsonb not null,
     readiness_health_check jsonb not null,
     process_user text)`,
  'create unique index processes_type on processes (app_guid, type)',

  `create table sidecars (${RESOURCE},
     app_guid text not null references apps (guid) on delete cascade,
     name text not null,
     command text not null,
     process_types jsonb not null,
     memory_in_mb integer,
     origin text not null default 'user')`,
  'create unique index sidecars_name on sidecars (app_guid, name)',

  `create table packages (${RESOURCE}, ${METADATA},
     app_guid text not null references apps (guid) on delete cascade,
     type text not null default 'bits',
     state text not null check (state in
       ('AWAITING_UPLOAD', 'PROCESSING_UPLOAD', 'READY', 'FAILED', 'COPYING', 'EXPIRED')),
     error text,
     sha256 text,
     size_in_bytes bigint,
     content_guid text,
     data jsonb not null default '{}')`,
  'create index packages_app on packages (app_guid, created_at, id)',
  'create index packages_labels on packages using gin (labels)',

  `create table builds (${RESOURCE}, ${METADATA},
     app_guid text not null references apps (guid) on delete cascade,
     package_guid text not null,
     state text not null check (state in ('STAGING', 'STAGED', 'FAILED')),
     error_id text,
     error_description text,
     lifecycle_type text not null,
     lifecycle_data jsonb not null,
     environment jsonb not null default '{}',
     staging_memory_in_mb integer not null,
     staging_disk_in_mb integer not null,
     staging_log_rate_limit_bytes_per_second bigint not null default -1,
     created_by jsonb not null,
     cancel_requested_at timestamptz,
     claimed_by text,
     claimed_at timestamptz,
     heartbeat_at timestamptz,
     fence bigint not null default 0,
     attempts integer not null default 0,
     finished_at timestamptz)`,
  'create index builds_app on builds (app_guid, created_at, id)',
  'create index builds_package on builds (package_guid)',
  `create unique index builds_one_staging on builds (app_guid) where state = 'STAGING'`,
  `create index builds_unfinished on builds (heartbeat_at) where state = 'STAGING'`,
  'create index builds_labels on builds using gin (labels)',

  `create table droplets (${RESOURCE}, ${METADATA},
     app_guid text not null references apps (guid) on delete cascade,
     package_guid text,
     build_guid text,
     state text not null check (state in
       ('STAGING', 'AWAITING_UPLOAD', 'PROCESSING_UPLOAD', 'COPYING', 'STAGED', 'FAILED', 'EXPIRED')),
     error text,
     lifecycle_type text not null,
     lifecycle_data jsonb not null default '{}',
     stack text,
     image text,
     buildpacks jsonb not null default '[]',
     process_types jsonb not null default '{}',
     sidecars jsonb not null default '[]',
     execution_metadata text not null default '',
     sha1 text,
     sha256 text,
     size_in_bytes bigint,
     content_key text)`,
  'create index droplets_app on droplets (app_guid, created_at, id)',
  'create index droplets_package on droplets (package_guid)',
  'create index droplets_build on droplets (build_guid)',
  'create index droplets_labels on droplets using gin (labels)',

  `alter table apps add constraint apps_current_droplet
     foreign key (current_droplet_guid) references droplets (guid) on delete set null`,
];
