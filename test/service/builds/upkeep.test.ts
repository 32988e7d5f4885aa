import { expect, it } from 'vitest';
import { listUpkeep, runUpkeep } from '../../../src/service/builds/upkeep.ts';
import { describeDatabase } from '../support/database.ts';

describeDatabase('what servers do every hour', (database) => {
  it('is done by one of them, written down, and not kept from being done by another task that fails', async () => {
    let done = 0;
    const tasks = {
      broken: () => Promise.reject(new Error('no blobstore')),
      counted: async () => {
        done += 1;
        return { deleted: 3 };
      },
    };
    const { queries } = database();
    const turns = ['one', 'two', 'three'].map((server) =>
      runUpkeep(queries, tasks, { server, hourly: true }),
    );
    const runs = (await Promise.all(turns)).flat();
    expect(runs.map(({ task, outcome }) => `${task} ${outcome}`).toSorted()).toEqual([
      'broken failed',
      'counted done',
    ]);
    expect(done).toBe(1);
    const rows = await listUpkeep(queries, 10);
    expect(rows.map(({ task, outcome, facts }) => ({ task, outcome, facts }))).toEqual(
      expect.arrayContaining([
        { task: 'broken', outcome: 'failed', facts: { error: 'no blobstore' } },
        { task: 'counted', outcome: 'done', facts: { deleted: 3 } },
      ]),
    );
    expect(rows.every(({ ended_at }) => ended_at !== null)).toBe(true);
    await runUpkeep(queries, tasks, { server: 'an operator', hourly: false });
    expect(done).toBe(2);
  });
});
