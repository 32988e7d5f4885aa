/** Declares tests twice: over an embedded database, and over a PostgreSQL server. Each is migrated and has nothing else in it. */
import { describe, it } from 'vitest';
import { type Database, openDatabase } from '../../../src/service/state/database.ts';
import { postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';
import { embeddedTemplate } from '../../doors/http/support/template.ts';

/** Milliseconds. The first file makes the databases that the others copy. */
export const PATIENT_MS = 600_000;

/** A database, and what ends its server when it is closed. */
export interface OpenedDatabase {
  readonly database: Database;
  readonly stop?: () => Promise<void>;
}

/** `tests` is called once for each kind, with what opens a database of it. */
export function describeTwice(name: string, tests: (open: () => Promise<OpenedDatabase>) => void): void {
  describe(`${name} (embedded database)`, () => {
    tests(async () => ({
      database: await openDatabase({ memory: true, template: await embeddedTemplate() }),
    }));
  });
  if (postgresMissing !== undefined) {
    process.stderr.write(`\nNOT RUN: ${name} over PostgreSQL: ${postgresMissing}\n\n`);
    it.skip(`NOT RUN: ${name} over PostgreSQL: ${postgresMissing}`, () => undefined);
    return;
  }
  describe(`${name} (PostgreSQL)`, () => {
    tests(async () => {
      const { migrated, stop } = await startPostgres();
      return { database: await openDatabase({ url: migrated }), stop };
    });
  });
}
