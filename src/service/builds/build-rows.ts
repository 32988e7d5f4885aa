/** Updates of a build's row while it is staged, and at its end. Writes of a worker name the fence that it got. */
import { sql } from 'kysely';
import type { Guid } from '../../words/ids.ts';
import { noteBuildEnd } from '../events/build-ends.ts';
import { lockPlacement } from '../queue/placement.ts';
import { SILENT_S } from '../queue/workers.ts';
import type { Database, Queries } from '../state/database.ts';
import type { BuildFailure } from './build-failure.ts';
import type { BuildRow, NewDroplet } from './stage-parts.ts';

type Place = Pick<Database, 'queries' | 'queue'>;

/** Its end and its droplet at once. @returns false when another has the build: nothing is written then. */
export async function writeStaged(place: Place, build: BuildRow, droplet: NewDroplet): Promise<boolean> {
  return await place.queries.transaction().execute(async (transaction) => {
    if (!(await settle({ ...place, queries: transaction }, build, { state: 'STAGED' }))) return false;
    await transaction.insertInto('droplets').values(droplet).execute();
    return true;
  });
}

/** @returns false when another has the build. */
export async function writeFailed(
  place: Place,
  build: BuildRow,
  { id, description }: BuildFailure,
): Promise<boolean> {
  const end = { state: 'FAILED' as const, error_id: id, error_description: description };
  return await place.queries
    .transaction()
    .execute(async (transaction) => await settle({ ...place, queries: transaction }, build, end));
}

interface End {
  readonly state: 'STAGED' | 'FAILED';
  readonly error_id?: string;
  readonly error_description?: string;
}

async function settle({ queries, queue }: Place, build: BuildRow, end: End): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('builds')
    .set({ ...end, finished_at: sql<Date>`now()`, updated_at: sql<Date>`now()` })
    .where('guid', '=', build.guid)
    .where('fence', '=', build.fence)
    .where('state', '=', 'STAGING')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await queue.drop('builds', build.guid, queries);
  await noteBuildEnd({ queries, queue }, build.guid);
  return true;
}

/**
 * Builds that a backup brought back wait in no queue. Locked meanwhile, so that none ends and is added after that; while
 * nobody claims any, since a claim locks a build and its place in the queue the other way round.
 */
export async function addToQueue({ queries, queue }: Place): Promise<void> {
  await queries.transaction().execute(async (transaction) => {
    await lockPlacement(transaction);
    const left = await transaction
      .selectFrom('builds')
      .select('guid')
      .where('state', '=', 'STAGING')
      .forShare()
      .execute();
    for (const { guid } of left) await queue.add('builds', guid, transaction);
  });
}

/** Gives it back as if it had not been begun. */
export async function releaseBuild(queries: Queries, build: BuildRow): Promise<void> {
  await queries
    .updateTable('builds')
    .set({ claimed_by: null, heartbeat_at: sql<Date>`null`, attempts: sql<number>`attempts - 1` })
    .where('guid', '=', build.guid)
    .where('fence', '=', build.fence)
    .where('state', '=', 'STAGING')
    .execute();
}

/** Every claim is a dead one's: nobody else has this database. */
export async function releaseAll(queries: Queries): Promise<void> {
  await queries
    .updateTable('builds')
    .set({ claimed_by: null, heartbeat_at: sql<Date>`null` })
    .where('state', '=', 'STAGING')
    .where('claimed_by', 'is not', null)
    .execute();
  await queries.deleteFrom('workers').execute();
}

/** What runs here is alive. @returns those of them that are to be ended, and why. */
export async function renewBuilds(
  queries: Queries,
  worker: Guid,
  running: readonly Guid[],
): Promise<ReadonlyMap<Guid, string>> {
  if (running.length === 0) return new Map();
  const ours = await queries
    .updateTable('builds')
    .set({ heartbeat_at: sql<Date>`now()` })
    .where('guid', 'in', running)
    .where('claimed_by', '=', worker)
    .where('state', '=', 'STAGING')
    .returning(['guid', 'cancel_requested_at'])
    .execute();
  const ends = running.map((guid): [Guid, string | undefined] => {
    const row = ours.find((found) => found.guid === guid);
    if (row === undefined) return [guid, 'it was taken over'];
    return [guid, row.cancel_requested_at === null ? undefined : 'it was cancelled'];
  });
  return new Map(ends.flatMap(([guid, why]) => (why === undefined ? [] : [[guid, why]])));
}

/** Notes that somebody wants its end. */
export async function requestCancel(queries: Queries, build: Guid): Promise<void> {
  await queries
    .updateTable('builds')
    .set({ cancel_requested_at: sql<Date>`now()` })
    .where('guid', '=', build)
    .where('state', '=', 'STAGING')
    .execute();
}

/** Ends what nobody works on, a silent worker's included. @returns false when somebody does. */
export async function failUnclaimed(place: Place, build: Guid, failure: BuildFailure): Promise<boolean> {
  return await place.queries.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('builds')
      .set({
        state: 'FAILED',
        error_id: failure.id,
        error_description: failure.description,
        fence: sql<number>`fence + 1`,
        finished_at: sql<Date>`now()`,
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', build)
      .where('state', '=', 'STAGING')
      .where(({ eb, or }) =>
        or([
          eb('claimed_by', 'is', null),
          sql<boolean>`heartbeat_at <= now() - ${SILENT_S} * interval '1 second'`,
        ]),
      )
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    await transaction
      .updateTable('build_logs')
      .set({ closed_at: sql<Date>`now()` })
      .where('build_guid', '=', build)
      .where('closed_at', 'is', null)
      .execute();
    await place.queue.drop('builds', build, transaction);
    await noteBuildEnd({ ...place, queries: transaction }, build);
    return true;
  });
}

/** Ends what a worker has, after a bug of ours. */
export async function failBroken(
  place: Place,
  { build, worker = null }: { readonly build: Guid; readonly worker: Guid | null | undefined },
  failure: BuildFailure,
): Promise<void> {
  await place.queries.transaction().execute(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('builds')
      .set({
        state: 'FAILED',
        error_id: failure.id,
        error_description: failure.description,
        finished_at: sql<Date>`now()`,
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', build)
      .where('state', '=', 'STAGING')
      .where('claimed_by', '=', worker)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    await place.queue.drop('builds', build, transaction);
    await noteBuildEnd({ ...place, queries: transaction }, build);
  });
}
