/** Brings the tables up to date: numbered migrations, in order, each once, under a lock that several starters share. */
import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Queries } from './database.ts';
import * as tenancy from './migrations/0001-tenancy.ts';
import * as apps from './migrations/0002-apps.ts';
import * as platform from './migrations/0003-platform.ts';
import * as workers from './migrations/0004-workers.ts';
import * as page from './migrations/0005-page.ts';
import * as operations from './migrations/0006-operations.ts';
import * as shortOfDisk from './migrations/0007-short-of-disk.ts';
import * as registryCredentials from './migrations/0008-registry-credentials.ts';

/** Never edited once released; a change is a new one. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-tenancy': tenancy,
  '0002-apps': apps,
  '0003-platform': platform,
  '0004-workers': workers,
  '0005-page': page,
  '0006-operations': operations,
  '0007-short-of-disk': shortOfDisk,
  '0008-registry-credentials': registryCredentials,
};

/** Their names, oldest first: what a database has of them is the version of its schema. */
export const SCHEMA: readonly string[] = Object.keys(MIGRATIONS);

/**
 * @param upTo the last of them; without, all.
 * @throws what the first migration that failed threw; all of them are undone then.
 */
export async function migrate(queries: Queries, upTo = SCHEMA.at(-1) ?? ''): Promise<void> {
  if (await isCurrent(queries)) return;
  const migrator = new Migrator({
    db: queries,
    provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) },
  });
  const { error } = await migrator.migrateTo(upTo);
  if (error !== undefined) throw error;
}

/** Every migration ran, and none that we do not know. The migrator finds the same out by reading all of the catalogue, twice. */
async function isCurrent(queries: Queries): Promise<boolean> {
  const { missing, unknown } = stepsOf((await migrationsOf(queries)) ?? []);
  return missing.length === 0 && unknown.length === 0;
}

/** Names of the migrations that ran; undefined where no server was ever started. */
export async function migrationsOf(queries: Queries): Promise<readonly string[] | undefined> {
  const table = await sql<{ name: string | null }>`select to_regclass('kysely_migration') as name`.execute(
    queries,
  );
  if (table.rows[0]?.name === null) return undefined;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(
    queries,
  );
  return rows.map(({ name }) => name);
}

/** What a schema lacks of ours, and what it has that we do not know. */
export function stepsOf(schema: readonly string[]): {
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
} {
  return {
    missing: SCHEMA.filter((name) => !schema.includes(name)),
    unknown: schema.filter((name) => !SCHEMA.includes(name)),
  };
}
