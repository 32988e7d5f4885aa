import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { addToQueue } from '../../../src/service/builds/build-rows.ts';
import { fleetFigures } from '../../../src/service/metrics/fleet-figures.ts';
import { lockPlacement, takeNextBuild } from '../../../src/service/queue/placement.ts';
import { findHopeless, markUnfit, queuePlaceOf } from '../../../src/service/queue/waiting.ts';
import { type Capacity, sayAlive, type WorkerIdentity } from '../../../src/service/queue/workers.ts';
import type { Database, Queries } from '../../../src/service/state/database.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { describeDatabase } from '../support/database.ts';

/** A space with nothing in it. */
async function newSpace({ queries }: Database): Promise<Guid> {
  const [organization, space] = [newGuid(), newGuid()];
  await queries.insertInto('organizations').values({ guid: organization, name: organization }).execute();
  await queries
    .insertInto('spaces')
    .values({ guid: space, name: 'dev', organization_guid: organization })
    .execute();
  return space;
}

async function newApp({ queries }: Database, space: Guid): Promise<Guid> {
  const guid = newGuid();
  await queries.insertInto('apps').values({ guid, name: guid, space_guid: space }).execute();
  return guid;
}

interface Wish {
  readonly memory?: number;
  /** Null: an image. */
  readonly stack?: string | null;
  readonly app?: Guid;
}

async function newBuild(database: Database, space: Guid, wish: Wish = {}): Promise<Guid> {
  const guid = newGuid();
  await database.queries
    .insertInto('builds')
    .values({
      guid,
      app_guid: wish.app ?? (await newApp(database, space)),
      package_guid: newGuid(),
      state: 'STAGING',
      lifecycle_type: wish.stack === null ? 'docker' : 'buildpack',
      lifecycle_data: JSON.stringify({
        buildpacks: [],
        stack: wish.stack === undefined ? 'cflinuxfs4' : wish.stack,
      }),
      staging_memory_in_mb: wish.memory ?? 100,
      staging_disk_in_mb: 100,
      created_by: '{}',
    })
    .execute();
  await database.queue.add('builds', guid, database.queries);
  return guid;
}

async function newWorker({ queries }: Database, capacity: Capacity, name = 'one'): Promise<WorkerIdentity> {
  const worker = { guid: newGuid(), name, version: '1', capacity };
  await sayAlive(queries, worker);
  return worker;
}

/** What it takes next, and nothing when it takes none. */
async function next(database: Database, worker: WorkerIdentity): Promise<Guid | undefined> {
  const choice = await takeNextBuild(database, worker, []);
  return choice.kind === 'taken' ? choice.taken.claim.id : undefined;
}

async function end(database: Database, build: Guid): Promise<void> {
  await database.queries
    .updateTable('builds')
    .set({ state: 'STAGED', finished_at: sql<Date>`now()` })
    .where('guid', '=', build)
    .execute();
  await database.queue.drop('builds', build, database.queries);
}

async function clear({ run }: Database): Promise<void> {
  await run('delete from builds');
  await run('delete from workers');
  await run('delete from queue.job');
}

describeDatabase('the next build of a worker', (database) => {
  afterEach(() => clear(database()));

  it('is that of the space that was served longest ago', async () => {
    const [busy, calm] = [await newSpace(database()), await newSpace(database())];
    const many: Guid[] = [];
    for (let n = 0; n < 4; n += 1) many.push(await newBuild(database(), busy));
    const single = await newBuild(database(), calm);
    expect((await queuePlaceOf(database().queries, single))?.position).toBe(2);
    const worker = await newWorker(database(), { slots: 9 });
    const order: (Guid | undefined)[] = [];
    for (let n = 0; n < 3; n += 1) order.push(await next(database(), worker));
    expect(order).toEqual([many[0], single, many[1]]);
  });

  it('is one that fits into what it has left, and for a stack that it has', async () => {
    const space = await newSpace(database());
    await newBuild(database(), space, { memory: 700 });
    await newBuild(database(), space, { stack: 'other' });
    const [first, second] = [await newBuild(database(), space), await newBuild(database(), space)];
    const worker = await newWorker(database(), { slots: 3, memoryMb: 250, stacks: ['cflinuxfs4'] });
    const taken = [await next(database(), worker), await next(database(), worker)];
    expect(taken).toEqual([first, second]);
    expect(await next(database(), worker)).toBeUndefined();
    expect(await markUnfit(database().queries, 60)).toEqual([]);
    const reasons = await database().run(
      'select wait_reason from builds where claimed_by is null order by id',
    );
    expect(reasons.rows).toEqual([
      { wait_reason: 'no worker has 700 MB of memory' },
      { wait_reason: 'no worker has the stack other' },
    ]);
    await database().run(
      `update builds set unfit_since = now() - interval '2 minutes' where unfit_since is not null`,
    );
    expect(await markUnfit(database().queries, 60)).toHaveLength(2);
    expect(await findHopeless(database().queries, { memoryMb: 500 })).toHaveLength(1);
  });

  it('is an image for any worker, whatever stacks it has', async () => {
    const image = await newBuild(database(), await newSpace(database()), { stack: null });
    const worker = await newWorker(database(), { slots: 1, stacks: ['cflinuxfs4'] });
    expect(await markUnfit(database().queries, 0)).toEqual([]);
    expect((await queuePlaceOf(database().queries, image))?.reason).toBe('it is next');
    expect(await next(database(), worker)).toBe(image);
  });

  it('waits while the disk of each worker that could take it is nearly full', async () => {
    const build = await newBuild(database(), await newSpace(database()), { memory: 500 });
    const { queries } = database();
    const large = await newWorker(database(), { slots: 1 }, 'large');
    await newWorker(database(), { slots: 1, memoryMb: 100 }, 'small');
    const reasonNow = async (): Promise<string | undefined> => {
      expect(await markUnfit(queries, 60)).toEqual([]);
      return (await queuePlaceOf(queries, build))?.reason;
    };
    expect(await reasonNow()).toBe('it is next');
    await sayAlive(queries, large, { draining: false, shortOfDisk: 'the disk of /var has 1 MiB left' });
    expect(await reasonNow()).toBe('the disk of each worker that could take it is nearly full');
    expect(await fleetFigures(queries)).toMatchObject({ workers: 1, slots: 1, short_of_disk: 1, unfit: 1 });
    await sayAlive(queries, large);
    expect(await reasonNow()).toBe('it is next');
  });

  it('is none of an app that has another one', async () => {
    const space = await newSpace(database());
    const app = await newApp(database(), space);
    const [first, second] = [
      await newBuild(database(), space, { app }),
      await newBuild(database(), space, { app }),
    ];
    const worker = await newWorker(database(), { slots: 9 });
    expect([await next(database(), worker), await next(database(), worker)]).toEqual([first, undefined]);
    expect((await queuePlaceOf(database().queries, second))?.reason).toMatch(/another build of the app/);
    await end(database(), first);
    expect(await next(database(), worker)).toBe(second);
  });

  it('is left for a moment to the worker that built the app before', async () => {
    const space = await newSpace(database());
    const app = await newApp(database(), space);
    const [one, two] = [
      await newWorker(database(), { slots: 1 }, 'one'),
      await newWorker(database(), { slots: 1 }, 'two'),
    ];
    const first = await newBuild(database(), space, { app });
    expect(await next(database(), one)).toBe(first);
    await end(database(), first);
    const second = await newBuild(database(), space, { app });
    expect(await takeNextBuild(database(), two, [])).toEqual({ kind: 'later' });
    await database().run(
      `update builds set created_at = now() - interval '1 minute' where state = 'STAGING'`,
    );
    expect(await next(database(), two)).toBe(second);
  });

  it('is what a silent worker had, with a higher fence', async () => {
    const build = await newBuild(database(), await newSpace(database()));
    const [lost, found] = [
      await newWorker(database(), { slots: 1 }, 'lost'),
      await newWorker(database(), { slots: 1 }, 'found'),
    ];
    expect(await next(database(), lost)).toBe(build);
    expect(await next(database(), found)).toBeUndefined();
    await database().run(`update builds set heartbeat_at = now() - interval '1 minute'`);
    await database().run(`update queue.job set heartbeat_on = now() - interval '1 hour'`);
    await database().run('update queue.queue set monitor_on = null, monitor_claim_on = null');
    await database().queue.supervise();
    expect(await next(database(), found)).toBe(build);
    const { rows } = await database().run('select fence, attempts from builds');
    expect(rows).toEqual([{ fence: 2, attempts: 2 }]);
  });

  it('is taken while a worker that starts looks for builds that are in no queue', async () => {
    const build = await newBuild(database(), await newSpace(database()));
    const { queries, queue, kind } = database();
    let adding = Promise.resolve();
    await queries.transaction().execute(async (transaction) => {
      await lockPlacement(transaction);
      await queue.takeThis('builds', build, transaction);
      adding = addToQueue(database());
      // What it comes after is the end of this transaction: of the embedded database it has the only connection.
      while (kind === 'postgres' && !(await somebodyWaits(transaction))) await setTimeout(20);
      await sql`update builds set fence = fence + 1 where guid = ${build}`.execute(transaction);
    });
    await adding;
    const { rows } = await database().run(`select count(*)::int as n from queue.job where name = 'builds'`);
    expect(rows).toEqual([{ n: 1 }]);
  });
});

async function somebodyWaits(queries: Queries): Promise<boolean> {
  const { rows } = await sql`select 1 from pg_locks where not granted`.execute(queries);
  return rows.length > 0;
}
