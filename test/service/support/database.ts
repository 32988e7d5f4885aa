/** The same tests over both kinds of database, each migrated and with nothing else in it. */
import { afterAll, beforeAll } from 'vitest';
import type { Database } from '../../../src/service/state/database.ts';
import { describeTwice, type OpenedDatabase, PATIENT_MS } from './two-databases.ts';

export function describeDatabase(name: string, tests: (database: () => Database) => void): void {
  describeTwice(name, (open) => tests(useDatabase(open)));
}

function useDatabase(open: () => Promise<OpenedDatabase>): () => Database {
  let opened: OpenedDatabase | undefined;
  beforeAll(async () => {
    opened = await open();
  }, PATIENT_MS);
  afterAll(async () => {
    await opened?.database.close();
    await opened?.stop?.();
  });
  return () => {
    if (opened === undefined) throw new Error('the database did not open');
    return opened.database;
  };
}
