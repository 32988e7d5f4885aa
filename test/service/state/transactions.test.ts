import { expect, it } from 'vitest';
import type { Database } from '../../../src/service/state/database.ts';
import { describeDatabase } from '../support/database.ts';

async function flags(database: Database): Promise<readonly string[]> {
  const rows = await database.queries.selectFrom('feature_flags').select('name').orderBy('name').execute();
  return rows.map(({ name }) => name);
}

describeDatabase('transactions', (database) => {
  it('of several callers at once all end, each with what it wrote', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `many-${index}`);
    await Promise.all(
      names.map((name) =>
        database()
          .queries.transaction()
          .execute(async (transaction) => {
            await transaction.insertInto('feature_flags').values({ name, enabled: true }).execute();
            await transaction.selectFrom('feature_flags').selectAll().execute();
          }),
      ),
    );
    expect(await flags(database())).toEqual(expect.arrayContaining(names));
  });

  it('that are rolled back take nothing of other callers with them', async () => {
    const { queries } = database();
    let other: Promise<unknown> = Promise.resolve();
    const failing = queries.transaction().execute(async (transaction) => {
      await transaction.insertInto('feature_flags').values({ name: 'undone', enabled: true }).execute();
      other = queries.insertInto('feature_flags').values({ name: 'of-another', enabled: true }).execute();
      await transaction.selectFrom('feature_flags').selectAll().execute();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await other;
    const found = await flags(database());
    expect(found).toContain('of-another');
    expect(found).not.toContain('undone');
  });
});
