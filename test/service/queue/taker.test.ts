import pg from 'pg';
import { expect, it } from 'vitest';
import { Taker } from '../../../src/service/queue/taker.ts';
import type { Database } from '../../../src/service/state/database.ts';
import { isDatabaseAway } from '../../../src/service/state/failures.ts';
import { systemClock } from '../../../src/words/clock.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { bugText } from '../../../src/words/report-bug.ts';
import { describeDatabase } from '../support/database.ts';

/** One thing is taken, and its work fails so. */
async function taken({ queue, queries }: Database, failure: Error) {
  const id = newGuid();
  const [reported, failed]: [string[], string[]] = [[], []];
  await queue.add('jobs', id, queries);
  const taker = new Taker({
    queue,
    name: 'jobs',
    most: 1,
    clock: systemClock,
    work: async () => {
      throw failure;
    },
    fail: async (guid) => void failed.push(guid),
    report: (during, error) => reported.push(bugText(during, error)),
  });
  await taker.start({ alone: true });
  await taker.idle();
  await taker.close(undefined);
  return { id, reported, failed };
}

/** What the driver says when nobody listens there. */
async function refusedConnection(): Promise<Error> {
  const client = new pg.Client({ host: '127.0.0.1', port: 1 });
  const error: unknown = await client.connect().catch((reason: unknown) => reason);
  if (!(error instanceof Error)) throw new Error('somebody listens on port 1');
  return error;
}

describeDatabase('a taker', (database) => {
  it('fails what ends by a bug, writes the stack down, and goes on', async () => {
    const bug = new TypeError('x is not a function', { cause: new Error('deeper') });
    const { id, reported, failed } = await taken(database(), bug);
    expect(failed).toEqual([id]);
    expect(reported).toEqual([expect.stringContaining('the queue of jobs: TypeError: x is not a function')]);
    expect(reported[0]).toContain('taker.test.ts');
    expect(reported[0]).toContain('caused by Error: deeper');
    expect(await database().queue.take('jobs', 5)).toEqual([]);
  });

  it('keeps what ends while the database is away for whoever takes it up again', async () => {
    const { id, reported, failed } = await taken(database(), await refusedConnection());
    expect([...reported, ...failed]).toEqual([]);
    await database().queue.giveBackAll('jobs');
    const [again] = await database().queue.take('jobs', 1);
    expect(again?.id).toBe(id);
    if (again !== undefined) await database().queue.done('jobs', again);
  });

  it('tells a mistake in a query from a database that is away', async () => {
    const mistake: unknown = await database()
      .run('select no_such_column')
      .catch((reason: unknown) => reason);
    expect(isDatabaseAway(mistake)).toBe(false);
    expect(isDatabaseAway(Object.assign(new Error('ended'), { code: '57P01' }))).toBe(true);
    expect(
      isDatabaseAway(new Error('open', { cause: new Error('Connection terminated unexpectedly') })),
    ).toBe(true);
    expect(isDatabaseAway(Object.assign(new Error('no file'), { code: 'ENOENT', syscall: 'open' }))).toBe(
      false,
    );
    // A registry that can't be reached is no reason to stage a build again.
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' });
    expect(isDatabaseAway(refused)).toBe(true);
    const told = new StagerError('REGISTRY_UNAVAILABLE', 'the registry', { cause: refused });
    expect(isDatabaseAway(told)).toBe(false);
  });
});
