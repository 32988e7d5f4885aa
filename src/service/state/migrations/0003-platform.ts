/**
 * What apps of all spaces share or use: buildpacks, stacks, variable groups, services, domains and routes; jobs, audit
 * events and logs.
 *
 * Audit events and logs refer to what may be gone, on purpose: they are kept until their retention ends. A log line is
 * found by its build and its sequence number. Times of lines are whole microseconds since 1970, which a JavaScript
 * number holds exactly.
 */
import { type Kysely, sql } from 'kysely';
import { METADATA, RESOURCE } from './0001-tenancy.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS: readonly string[] = [
  `create table stacks (${RESOURCE}, ${METADATA},
     name text not null unique,
     description text,
     state text not null default 'ACTIVE',
     state_reason text,
     is_default boolean not null default false,
     rootfs text not null)`,
  'create index stacks_labels on stacks using gin (labels)',

  `create table buildpacks (${RESOURCE}, ${METADATA},
     name text not null,
     stack text,
     lifecycle text not null default 'buildpack',
     position integer not null,
     enabled boolean not null default true,
     locked boolean not null default false,
     state text not null default 'AWAITING_UPLOAD' check (state in ('AWAITING_UPLOAD', 'READY')),
     filename text,
     version text,
     sha256 text,
     content_key text,
     shipped_as text)`,
  `create unique index buildpacks_name on buildpacks (lower(name), coalesce(stack, ''), lifecycle)`,
  'create index buildpacks_order on buildpacks (lifecycle, position)',
  'create index buildpacks_labels on buildpacks using gin (labels)',

  `create table environment_variable_groups (
     name text primary key check (name in ('running', 'staging')),
     var jsonb not null default '{}',
     updated_at timestamptz)`,
  `insert into environment_variable_groups (name) values ('running'), ('staging')`,

  `create table service_instances (${RESOURCE}, ${METADATA},
     space_guid text not null references spaces (guid),
     name text not null,
     type text not null default 'user-provided',
     credentials jsonb not null default '{}',
     syslog_drain_url text,
     route_service_url text,
     tags jsonb not null default '[]')`,
  'create unique index service_instances_name on service_instances (space_guid, lower(name))',
  'create index service_instances_labels on service_instances using gin (labels)',

  `create table service_credential_bindings (${RESOURCE}, ${METADATA},
     type text not null check (type in ('app', 'key')),
     name text,
     service_instance_guid text not null references service_instances (guid) on delete cascade,
     app_guid text references apps (guid) on delete cascade)`,
  `create unique index service_credential_bindings_app on service_credential_bindings
     (service_instance_guid, app_guid) where app_guid is not null`,
  'create index service_credential_bindings_of_app on service_credential_bindings (app_guid)',
  'create index service_credential_bindings_labels on service_credential_bindings using gin (labels)',

  `create table domains (${RESOURCE}, ${METADATA},
     name text not null,
     internal boolean not null default false,
     organization_guid text references organizations (guid) on delete cascade)`,
  'create unique index domains_name on domains (lower(name))',
  'create index domains_organization on domains (organization_guid)',

  `create table routes (${RESOURCE}, ${METADATA},
     space_guid text not null references spaces (guid),
     domain_guid text not null references domains (guid) on delete cascade,
     host text not null default '',
     path text not null default '',
     port integer,
     protocol text not null default 'http',
     options jsonb not null default '{}')`,
  'create unique index routes_address on routes (domain_guid, lower(host), path, coalesce(port, 0))',
  'create index routes_space on routes (space_guid)',

  `create table route_destinations (${RESOURCE},
     route_guid text not null references routes (guid) on delete cascade,
     app_guid text not null references apps (guid) on delete cascade,
     process_type text not null default 'web',
     port integer,
     protocol text)`,
  `create unique index route_destinations_once on route_destinations
     (route_guid, app_guid, process_type, coalesce(port, 0))`,
  'create index route_destinations_app on route_destinations (app_guid)',

  `create table jobs (${RESOURCE},
     operation text not null,
     state text not null default 'PROCESSING' check (state in ('PROCESSING', 'POLLING', 'COMPLETE', 'FAILED')),
     user_guid text,
     input jsonb not null default '{}',
     errors jsonb not null default '[]',
     warnings jsonb not null default '[]',
     claimed_by text,
     heartbeat_at timestamptz,
     fence bigint not null default 0,
     attempts integer not null default 0)`,
  `create index jobs_unfinished on jobs (id) where state in ('PROCESSING', 'POLLING')`,

  `create table audit_events (${RESOURCE},
     type text not null,
     actor_guid text not null,
     actor_type text not null,
     actor_name text,
     target_guid text not null,
     target_type text not null,
     target_name text,
     data jsonb not null default '{}',
     space_guid text,
     organization_guid text)`,
  'create index audit_events_created on audit_events (created_at, id)',
  'create index audit_events_target on audit_events (target_guid, created_at, id)',
  'create index audit_events_space on audit_events (space_guid, created_at, id)',
  'create index audit_events_organization on audit_events (organization_guid, created_at, id)',

  `create table build_logs (
     build_guid text primary key,
     app_guid text not null,
     space_guid text not null,
     created_at timestamptz not null default now(),
     closed_at timestamptz)`,
  'create index build_logs_app on build_logs (app_guid, created_at)',
  'create index build_logs_age on build_logs (created_at)',

  `create table log_lines (
     build_guid text not null references build_logs (build_guid) on delete cascade,
     sequence bigint not null,
     app_guid text not null,
     at_us bigint not null,
     stream text not null check (stream in ('stdout', 'stderr')),
     text text not null,
     primary key (build_guid, sequence))`,
  'create index log_lines_app on log_lines (app_guid, at_us)',

  `create table build_events (
     build_guid text not null references build_logs (build_guid) on delete cascade,
     sequence bigint not null,
     event text not null,
     primary key (build_guid, sequence))`,
];
