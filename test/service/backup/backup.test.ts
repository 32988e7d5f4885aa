import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { TABLES } from '../../../src/service/backup/archive.ts';
import { exportState } from '../../../src/service/backup/export-state.ts';
import { importState } from '../../../src/service/backup/import-state.ts';
import { findLostBytes } from '../../../src/service/backup/lost-bytes.ts';
import { type Database, openDatabase } from '../../../src/service/state/database.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import { pgTool, postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';
import { notRun } from '../../doors/http/support/served.ts';
import { describeTwice, type OpenedDatabase, PATIENT_MS } from '../support/two-databases.ts';
import { fill, goesOn, run } from './support.ts';

const signal = new AbortController().signal;
const cleanups: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean();
}, PATIENT_MS);

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'stager-backup-'));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

const storeIn = async (dir: string) =>
  await openBlobStore(join(dir, 'blobs'), { proxy: {}, extraCas: async () => [] });

async function exported(database: Database, dir: string) {
  const chunks: Buffer[] = [];
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk);
      done();
    },
  });
  const report = await exportState({ database, blobs: await storeIn(dir), version: '1.2.3', signal }, out);
  return { report, bytes: Buffer.concat(chunks) };
}

const into = async (database: Database, dir: string, bytes: Uint8Array) =>
  await importState(
    { database, blobs: await storeIn(dir), signal },
    Readable.from([bytes], { objectMode: false }),
  );

describeTwice('an export', (open) => {
  const opened = async (): Promise<Database> => {
    const found: OpenedDatabase = await open();
    cleanups.push(async () => {
      await found.database.close();
      await found.stop?.();
    });
    return found.database;
  };

  it(
    'restores what was lost, and builds go on; nothing else is taken for one',
    async () => {
      const [old, oldDir] = [await opened(), await directory()];
      const first = await run(old, oldDir);
      const filled = await fill(first);
      // While the server runs: the embedded database has no second process, but this one may.
      const { report, bytes } = await exported(old, oldDir);
      expect(report).toMatchObject({ gone: 0, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
      expect(report.rows).toBeGreaterThan(20);
      await first.stop();

      const [database, dir] = [await opened(), await directory()];
      const broken = Buffer.from(bytes);
      broken.writeUInt8(broken.readUInt8(600) ^ 1, 600);
      await expect(into(database, await directory(), broken)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
      await expect(into(database, await directory(), bytes.subarray(0, bytes.length - 4096))).rejects.toThrow(
        /cut off|Unexpected end/,
      );
      const newer = Buffer.from(
        bytes.toString('latin1').replace('0006-operations', '9999-operations'),
        'latin1',
      );
      await expect(into(database, await directory(), newer)).rejects.toThrow(/newer stager \(1\.2\.3\)/);
      const left = await database.run('select count(*) as n from organizations');
      expect(left.rows).toEqual([{ n: 0 }]);

      expect(await into(database, dir, bytes)).toMatchObject({ rows: report.rows, blobs: report.blobs });
      await expect(into(database, dir, bytes)).rejects.toThrow(/not empty/);
      expect(await findLostBytes({ queries: database.queries, blobs: await storeIn(dir), signal })).toEqual(
        [],
      );
      const second = await run(database, dir);
      await goesOn(second, filled);
      await second.stop();
      await rm(join(dir, 'blobs/droplets'), { recursive: true });
      const lost = await findLostBytes({ queries: database.queries, blobs: await storeIn(dir), signal });
      expect(lost.map(({ guid }) => guid)).toContain(filled.droplet);
    },
    PATIENT_MS,
  );

  it('has every table but that of processes', async () => {
    const { rows } = await (await opened()).run(
      `select tablename from pg_tables where schemaname = current_schema() and tablename not like 'kysely%'
       and tablename <> 'workers'`,
    );
    expect([...TABLES].toSorted()).toEqual(rows.map((row) => Object(row).tablename).toSorted());
  });
});

describe('a copy of the data directory', () => {
  it(
    'of a server that is not running is a backup',
    async () => {
      const [dir, kept] = [await directory(), await directory()];
      const place = { dir: join(dir, 'database') };
      const database = await openDatabase(place);
      const first = await run(database, dir);
      const filled = await fill(first);
      await first.stop();
      await database.close();
      await cp(dir, kept, { recursive: true, preserveTimestamps: true });
      await rm(dir, { recursive: true });
      await cp(kept, dir, { recursive: true, preserveTimestamps: true });
      const again = await openDatabase(place);
      const second = await run(again, dir);
      await goesOn(second, filled);
      await second.stop();
      await again.close();
    },
    PATIENT_MS,
  );
});

if (postgresMissing !== undefined) notRun('pg_dump and pg_restore', postgresMissing);
else {
  it(
    'pg_dump and a copy of the blobs, as in docs/operations.md, are a backup',
    async () => {
      const postgres = await startPostgres();
      cleanups.push(() => postgres.stop());
      const [from, dir, kept] = [await postgres.createDatabase(), await directory(), await directory()];
      const database = await openDatabase({ url: from });
      const first = await run(database, dir);
      const filled = await fill(first);
      const dump = join(kept, 'stager.dump');
      const tool = promisify(execFile);
      await tool(pgTool('pg_dump'), ['--format=custom', '--file', dump, from]);
      await cp(join(dir, 'blobs'), join(kept, 'blobs'), { recursive: true, preserveTimestamps: true });
      await first.stop();
      await database.close();
      await rm(dir, { recursive: true });

      const to = await postgres.createDatabase();
      await tool(pgTool('pg_restore'), ['--no-owner', '--dbname', to, dump]);
      const again = await openDatabase({ url: to });
      const second = await run(again, kept);
      await goesOn(second, filled);
      await second.stop();
      await again.close();
    },
    PATIENT_MS,
  );
}
