import { expect, it } from 'vitest';
import type { Database } from '../../../src/service/state/database.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { describeDatabase } from '../support/database.ts';

async function added(database: Database): Promise<Guid> {
  const id = newGuid();
  await database.queue.add('jobs', id, database.queries);
  return id;
}

/** As if whoever claimed it had been silent for an hour. */
async function silence({ run, queue }: Database, id: Guid): Promise<void> {
  await run(`update queue.job set heartbeat_on = now() - interval '1 hour' where id = $1`, [id]);
  // It looks every few seconds; here it looks now.
  await run('update queue.queue set monitor_on = null, monitor_claim_on = null');
  await queue.supervise();
}

describeDatabase('the queue', (database) => {
  it('gives each to one taker, whatever was added twice', async () => {
    const { queue, queries } = database();
    const id = await added(database());
    await queue.add('jobs', id, queries);
    const [first, second] = await Promise.all([queue.take('jobs', 5), queue.take('jobs', 5)]);
    const claims = [...first, ...second];
    expect(claims.map((claim) => claim.id)).toEqual([id]);
    for (const claim of claims) await queue.done('jobs', claim);
    expect(await queue.take('jobs', 5)).toEqual([]);
  });

  it('forgets what is added in a transaction that is undone', async () => {
    const { queue, queries } = database();
    const undone = queries.transaction().execute(async (transaction) => {
      await queue.add('jobs', newGuid(), transaction);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await queue.take('jobs', 5)).toEqual([]);
  });

  it('gives what a silent taker has to another, and takes no word of the first from then on', async () => {
    const { queue } = database();
    const id = await added(database());
    const [lost] = await queue.take('jobs', 1);
    await silence(database(), id);
    const [taken] = await queue.take('jobs', 1);
    if (lost === undefined || taken === undefined) throw new Error('it was not given to another');
    await queue.done('jobs', lost);
    await queue.giveBack('jobs', taken);
    const [again] = await queue.take('jobs', 1);
    if (again === undefined) throw new Error('it is gone');
    expect(again.id).toBe(id);
    await queue.done('jobs', again);
  });

  it('gives back all claims of a process that died, for who is alone with the database', async () => {
    const { queue } = database();
    const ids = [await added(database()), await added(database())];
    await queue.take('jobs', 5);
    await queue.giveBackAll('jobs');
    const claims = await queue.take('jobs', 5);
    expect(claims.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    for (const claim of claims) await queue.done('jobs', claim);
  });
});
