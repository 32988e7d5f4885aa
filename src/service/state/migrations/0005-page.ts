/** What the page for people keeps: who is signed in there, the folders of droplets, and how much was sent of a package. */
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}

const STATEMENTS: readonly string[] = [
  `create table page_sessions (
     hash text primary key,
     account_guid text not null references accounts (guid) on delete cascade,
     created_at timestamptz not null default now(),
     expires_at timestamptz not null)`,
  'create index page_sessions_account on page_sessions (account_guid)',
  'create index page_sessions_expiry on page_sessions (expires_at)',

  `create table droplet_folders (
     droplet_guid text primary key references droplets (guid) on delete cascade,
     folders jsonb not null,
     created_at timestamptz not null default now())`,

  'alter table packages add column sent_in_bytes bigint',
];
