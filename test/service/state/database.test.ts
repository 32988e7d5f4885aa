import { cp, mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/service/state/database.ts';
import { postgresMissing, startPostgres } from '../../doors/http/support/postgres.ts';

const temp = await mkdtemp(join(tmpdir(), 'stager-database-'));
afterAll(() => rm(temp, { recursive: true, force: true }));

describe('an embedded database in a directory', () => {
  it('starts over where a first start was cut off, and keeps what was written from then on', async () => {
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

  it.each<[string, (pgdata: string) => Promise<unknown>]>([
    ['is gone', (pgdata) => rm(pgdata, { recursive: true })],
    ['lacks its version', (pgdata) => rm(join(pgdata, 'PG_VERSION'))],
    ['lacks its tables', (pgdata) => rm(join(pgdata, 'base'), { recursive: true })],
    ['has an empty control file', (pgdata) => truncate(join(pgdata, 'global/pg_control'))],
    [
      'is a file',
      async (pgdata) => {
        await rm(pgdata, { recursive: true });
        await writeFile(pgdata, '');
      },
    ],
    [
      'leads nowhere',
      async (pgdata) => {
        await rm(pgdata, { recursive: true });
        await symlink('/nowhere/at/all', pgdata);
      },
    ],
    [
      'has an empty log of transactions',
      async (pgdata) => {
        for (const name of await readdir(join(pgdata, 'pg_wal')))
          if (/^[0-9A-F]{24}$/.test(name)) await truncate(join(pgdata, 'pg_wal', name));
      },
    ],
  ])('is reported with its place when what was written %s, and never started over', async (_, damage) => {
    // A copy of the one that was made above, since making one takes long.
    const dir = join(temp, 'damaged/database');
    await rm(join(temp, 'damaged'), { recursive: true, force: true });
    for (const name of ['database', 'database.made'])
      await cp(join(temp, name), join(temp, 'damaged', name), { recursive: true });
    await damage(join(dir, 'pgdata'));
    await expect(openDatabase({ dir })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(join(dir, 'pgdata')),
      next: expect.stringContaining('restore'),
    });
  });
});

it('a directory in the place of the claim of a database is named, and not taken for another server', async () => {
  const dir = join(temp, 'claimed');
  await mkdir(join(dir, 'lock'), { recursive: true });
  await expect(openDatabase({ dir })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(`${join(dir, 'lock')} is not a file`),
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
