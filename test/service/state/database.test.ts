import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/service/state/database.ts';
import { postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';

const temp = await mkdtemp(join(tmpdir(), 'stager-database-'));
afterAll(() => rm(temp, { recursive: true, force: true }));

describe('an embedded database in a directory', () => {
  it('begins anew where a first start was cut off, and keeps what was written from then on', async () => {
    const dir = join(temp, 'database');
    await mkdir(join(dir, 'pgdata.new'), { recursive: true });
    await writeFile(join(dir, 'pgdata.new', 'PG_VERSION'), '18\n');
    const first = await openDatabase({ dir });
    await first.run(`insert into feature_flags (name, enabled) values ('kept', true)`);
    await first.close();
    expect((await readdir(dir)).toSorted()).toEqual(['pgdata']);
    const second = await openDatabase({ dir });
    const { rows } = await second.run('select name from feature_flags');
    await second.close();
    expect(rows).toEqual([{ name: 'kept' }]);
  });
});

describe.skipIf(postgresMissing !== undefined)('a PostgreSQL server', () => {
  it('is migrated once by several that start at the same time, and refused when it is newer than we are', async () => {
    const postgres = await startPostgres();
    try {
      const url = await postgres.createDatabase();
      const [first, ...others] = await Promise.all([
        openDatabase({ url }),
        openDatabase({ url }),
        openDatabase({ url }),
      ]);
      const { rows } = await first.run('select count(*) as times from kysely_migration');
      await first.run(`insert into kysely_migration values ('9999-later', now())`);
      for (const database of [first, ...others]) await database.close();
      expect(Number(Object(rows[0]).times)).toBeGreaterThan(2);
      await expect(openDatabase({ url })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    } finally {
      await postgres.stop();
    }
  });
});
