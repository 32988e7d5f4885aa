/** The same tests over an embedded database and over a PostgreSQL server, each migrated and with nothing else in it. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Database, openDatabase } from '../../../src/service/state/database.ts';
import { postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';
import { embeddedTemplate } from '../../doors/http/support/template.ts';

/** Milliseconds. The first one makes the files that the others copy. */
const PATIENT_MS = 600_000;

export function describeDatabase(name: string, tests: (database: () => Database) => void): void {
  describe(`${name} (embedded database)`, () => {
    tests(
      useDatabase(async () => ({
        database: await openDatabase({ memory: true, template: await embeddedTemplate() }),
      })),
    );
  });
  if (postgresMissing !== undefined) {
    process.stderr.write(`\nNOT RUN: ${name} over PostgreSQL: ${postgresMissing}\n\n`);
    it.skip(`NOT RUN: ${name} over PostgreSQL: ${postgresMissing}`, () => undefined);
    return;
  }
  describe(`${name} (PostgreSQL)`, () => {
    tests(
      useDatabase(async () => {
        const { migrated, stop } = await startPostgres();
        return { database: await openDatabase({ url: migrated }), stop };
      }),
    );
  });
}

function useDatabase(
  open: () => Promise<{ readonly database: Database; readonly stop?: () => Promise<void> }>,
): () => Database {
  let opened: Awaited<ReturnType<typeof open>> | undefined;
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
