/** PostgreSQL 14 and later, through a pool. */
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Driver } from './driver.ts';
import { PostgresSignals } from './postgres-signals.ts';

/** Enough for a server and its workers; a pooler such as pgbouncer may stand between (session mode). */
const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** None of our queries takes seconds: one that does waits for a lock that nobody gives up. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** OIDs of PostgreSQL's types. */
const INT8 = 20;

export function openPostgres(url: string): Driver {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'stager',
    types: { getTypeParser: typeParser },
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on('error', () => undefined);
  // The same for one in the middle of a transaction, between two queries: the next of them fails.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  return {
    kind: 'postgres',
    dialect: new PostgresDialect({ pool }),
    signals: new PostgresSignals(url, pool),
    queueDb: { executeSql: async (text, values) => await script(pool, text, values) },
    run: async (text, values = []) => await pool.query(text, [...values]),
    release: async () => {
      if (!pool.ended) await pool.end();
    },
  };
}

/** A connection on which one failed may be in the middle of a transaction of it, and is not used again. */
async function script(pool: pg.Pool, text: string, values: unknown[] | undefined) {
  const client = await pool.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(text, values);
    client.release();
    return { rows: [result].flat().flatMap(({ rows }) => rows) };
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** Counts and sizes are whole numbers below 2^53: as a number they are the same from both databases. */
const typeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === INT8 ? Number : pg.types.getTypeParser(oid, format === 'binary' ? 'binary' : 'text');
