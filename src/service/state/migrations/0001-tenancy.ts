/**
 * Organizations, spaces, users, roles; accounts, clients, keys and tokens of the embedded sign-in.
 *
 * Names are compared without regard to case, as Cloud Controller does. `id` is the order of creation: it breaks ties
 * in every list. Labels and annotations live in their resource's row, so that they go with it and one index serves
 * selectors. `users` are those that Cloud Controller knows; `accounts` are those that can sign in here.
 */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

/** Columns that every resource of the v3 API has. */
export const RESOURCE = `
  id bigint generated always as identity primary key,
  guid text not null unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()`;

/** Those of resources that can be labelled. */
export const METADATA = `
  labels jsonb not null default '{}',
  annotations jsonb not null default '{}'`;

const STATEMENTS: readonly string[] = [
  `create table organizations (${RESOURCE}, ${METADATA},
     name text not null,
     suspended boolean not null default false)`,
  'create unique index organizations_name on organizations (lower(name))',
  'create index organizations_labels on organizations using gin (labels)',

  `create table spaces (${RESOURCE}, ${METADATA},
     name text not null,
     organization_guid text not null references organizations (guid),
     allow_ssh boolean not null default true)`,
  'create unique index spaces_name on spaces (organization_guid, lower(name))',
  'create index spaces_labels on spaces using gin (labels)',

  `create table users (${RESOURCE}, ${METADATA},
     username text,
     origin text)`,
  'create index users_username on users (lower(username))',
  'create index users_labels on users using gin (labels)',

  `create table roles (${RESOURCE},
     type text not null,
     user_guid text not null references users (guid) on delete cascade,
     organization_guid text references organizations (guid) on delete cascade,
     space_guid text references spaces (guid) on delete cascade,
     check ((organization_guid is null) <> (space_guid is null)))`,
  `create unique index roles_once on roles
     (user_guid, type, coalesce(organization_guid, ''), coalesce(space_guid, ''))`,
  'create index roles_organization on roles (organization_guid, type)',
  'create index roles_space on roles (space_guid, type)',

  `create table accounts (${RESOURCE},
     username text not null,
     origin text not null default 'uaa',
     email text,
     given_name text,
     family_name text,
     password_hash text,
     active boolean not null default true,
     scopes jsonb not null default '[]',
     failed_logins integer not null default 0,
     locked_until timestamptz,
     tokens_valid_after timestamptz not null default '-infinity')`,
  'create unique index accounts_username on accounts (lower(username), origin)',

  `create table clients (
     id text primary key,
     secret_hash text,
     grants jsonb not null,
     scopes jsonb not null default '[]',
     created_at timestamptz not null default now())`,

  // The cf command line client, which has no secret.
  `insert into clients (id, grants) values ('cf', '["password", "refresh_token"]')`,

  `create table signing_keys (
     kid text primary key,
     private_jwk jsonb not null,
     created_at timestamptz not null default now())`,

  `create table refresh_tokens (
     hash text primary key,
     jti text not null,
     account_guid text not null references accounts (guid) on delete cascade,
     client_id text not null references clients (id) on delete cascade,
     created_at timestamptz not null default now(),
     expires_at timestamptz not null)`,
  'create index refresh_tokens_account on refresh_tokens (account_guid)',
  'create index refresh_tokens_expiry on refresh_tokens (expires_at)',

  `create table revoked_tokens (
     jti text primary key,
     expires_at timestamptz not null)`,
  'create index revoked_tokens_expiry on revoked_tokens (expires_at)',

  `create table feature_flags (
     name text primary key,
     enabled boolean not null,
     error_message text,
     updated_at timestamptz not null default now())`,
];
