/**
 * The database that `serve` and its workers keep their state in: an embedded one, or a PostgreSQL server. The same SQL
 * runs on both; docs/decisions/database.md says what each promises.
 *
 * The embedded one has a single connection, so a query outside of a running transaction waits for its end: inside
 * `transaction(…)` everything goes through the transaction that was handed in.
 */
import { Kysely } from 'kysely';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { openEmbedded, openInMemory } from './embedded.ts';
import { migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import type { Schema } from './schema.ts';
import type { Signals } from './signals.ts';
import { WorkQueue } from './work-queue.ts';

/** Queries, or a transaction: functions that read and write take either. */
export type Queries = Kysely<Schema>;

/** An open database, migrated. */
export interface Database {
  readonly queries: Queries;
  readonly kind: 'embedded' | 'postgres';
  readonly queue: WorkQueue;
  readonly signals: Signals;
  /** Runs SQL with `$1` parameters outside of the query layer, for libraries that bring their own SQL. */
  run(text: string, values?: readonly unknown[]): Promise<{ rows: readonly unknown[] }>;
  close(): Promise<void>;
}

/** Where it is: a `postgres://` address, a directory, or nowhere but in memory. */
export type DatabasePlace =
  | { readonly url: string }
  | { readonly dir: string }
  | { readonly memory: true; readonly template?: Blob };

/**
 * Opens the database and brings its tables up to date.
 *
 * @throws StagerError CONFIG_INVALID when it can't be reached, is in use by another process, or is newer than we are.
 */
export async function openDatabase(place: DatabasePlace): Promise<Database> {
  const driver = await openDriver(place);
  const queries = new Kysely<Schema>({ dialect: driver.dialect });
  let queue: WorkQueue;
  try {
    await migrate(queries);
    queue = await WorkQueue.open(driver.queueDb, driver.kind);
  } catch (cause) {
    await queries.destroy().catch(() => undefined);
    await driver.release();
    throw databaseRefused(place, cause);
  }
  return {
    queries,
    queue,
    signals: driver.signals,
    kind: driver.kind,
    run: driver.run,
    close: async () => {
      await driver.signals.close();
      await queue.close();
      await queries.destroy();
      await driver.release();
    },
  };
}

async function openDriver(place: DatabasePlace) {
  if ('url' in place) return openPostgres(place.url);
  if ('dir' in place) return await openEmbedded(place.dir);
  return await openInMemory(place.template);
}

/** The failure of a database that can't be used; the address without its password. */
export function databaseRefused(place: DatabasePlace, cause: unknown): StagerError {
  if (cause instanceof StagerError) return cause;
  const where = 'url' in place ? withoutPassword(place.url) : 'dir' in place ? place.dir : 'memory';
  // Of a name with several addresses the message is empty.
  const why = (cause instanceof Error && cause.message) || errnoOf(cause) || String(cause);
  return new StagerError('CONFIG_INVALID', `the database at ${where} can't be used: ${why}`, {
    next: 'Check the address, the password and that the server is running; then start again.',
    details: { database: where },
    cause,
  });
}

function withoutPassword(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return 'the given address';
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
