/**
 * Runs the builds that wait in the queue, several at once. Every claim raises the fence of a build's row, and what its
 * worker writes later names that fence: one that was given up and wakes again changes nothing. A build whose worker fell
 * silent is taken up by another, once, and fails with the reason after that.
 */
import { sql } from 'kysely';
import type { Clock } from '../../words/clock.ts';
import { asStagerError } from '../../words/error-report.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import { Taker } from '../queue/taker.ts';
import type { Database, Queries } from '../state/database.ts';
import { isDatabaseAway } from '../state/failures.ts';
import { type BuildFailure, buildFailure } from './build-failure.ts';
import { BuildLog } from './build-log.ts';
import type { StagingMeans } from './means.ts';
import { type BuildRow, dropletRow, stageBuild } from './stage-build.ts';

const MAX_ATTEMPTS = 2;

export interface BuildWorkerParts {
  readonly database: Database;
  readonly means: StagingMeans;
  readonly clock: Clock;
  readonly report: ReportBug;
  /** Called when there is something new to read of a build: lines, or its end. */
  readonly onChange: (build: Guid) => void;
}

/** See the top of the file. */
export class BuildWorker {
  readonly #parts: BuildWorkerParts;
  readonly #queries: Queries;
  readonly #name = newGuid();
  readonly #taker: Taker;
  #closed = false;

  constructor(parts: BuildWorkerParts) {
    const { database, means, clock } = parts;
    this.#parts = parts;
    this.#queries = database.queries;
    this.#taker = new Taker({
      queue: database.queue,
      name: 'builds',
      most: means.defaults.workers,
      clock,
      work: async (guid, signal) => await this.#work(guid, signal),
      fail: async (guid, error) => await this.#broken(guid, error),
      report: parts.report,
      onBeat: async (running) => await this.#beat(running),
    });
  }

  /** Begins to look for builds. */
  async start(): Promise<void> {
    const { database } = this.#parts;
    // Those that a backup brought back wait in no queue.
    const left = await this.#queries
      .selectFrom('builds')
      .select('guid')
      .where('state', '=', 'STAGING')
      .execute();
    for (const { guid } of left) await database.queue.add('builds', guid, database.queries);
    await this.#taker.start({ alone: database.kind === 'embedded' });
  }

  /** There may be a build to run. */
  wake(): void {
    this.#taker.wake();
  }

  /** Settles when nothing runs that this process has claimed. */
  async idle(): Promise<void> {
    await this.#taker.idle();
  }

  /** Ends a build. Settles when it is final, if it runs here or nowhere. */
  async cancel(build: Guid, reason: string): Promise<void> {
    await this.#queries
      .updateTable('builds')
      .set({ cancel_requested_at: sql<Date>`now()` })
      .where('guid', '=', build)
      .where('state', '=', 'STAGING')
      .execute();
    if (await this.#taker.abort(build, cancelledBecause(reason))) return;
    await this.#finishUnclaimed(build, { id: 'StagingError', description: `Staging error: ${reason}` });
  }

  /** Ends what runs; it is taken up at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#taker.close(new StagerError('CANCELLED', STOPPED));
  }

  /** Ends what was cancelled through another process, and what another worker has by now. */
  async #beat(running: readonly Guid[]): Promise<void> {
    if (running.length === 0) return;
    const rows = await this.#queries
      .selectFrom('builds')
      .select(['guid', 'cancel_requested_at', 'claimed_by'])
      .where('guid', 'in', running)
      .execute();
    for (const guid of running) {
      const row = rows.find((found) => found.guid === guid);
      const isOurs = row !== undefined && row.claimed_by === this.#name;
      if (isOurs && row.cancel_requested_at === null) continue;
      void this.#taker.abort(guid, cancelledBecause(isOurs ? 'it was cancelled' : 'it was taken over'));
    }
  }

  async #work(guid: Guid, signal: AbortSignal): Promise<'done' | 'again'> {
    const build = await this.#claim(guid);
    return build === undefined ? 'done' : await this.#run(build, signal);
  }

  /** @returns undefined when it is over already. */
  async #claim(guid: Guid): Promise<BuildRow | undefined> {
    return await this.#queries
      .updateTable('builds')
      .set({
        claimed_by: this.#name,
        claimed_at: sql<Date>`now()`,
        heartbeat_at: sql<Date>`now()`,
        fence: sql<number>`fence + 1`,
        attempts: sql<number>`attempts + 1`,
      })
      .where('guid', '=', guid)
      .where('state', '=', 'STAGING')
      .returningAll()
      .executeTakeFirst();
  }

  async #run(build: BuildRow, signal: AbortSignal): Promise<'done' | 'again'> {
    const { means, clock, onChange } = this.#parts;
    const queries = this.#queries;
    try {
      const log = await BuildLog.open({
        queries,
        build: build.guid,
        app: build.app_guid,
        rate: build.staging_log_rate_limit_bytes_per_second,
        clock,
        onLines: () => onChange(build.guid),
      });
      try {
        if (build.cancel_requested_at !== null) throw cancelledBecause('it was cancelled');
        if (build.attempts > MAX_ATTEMPTS) throw interrupted();
        if (build.attempts > 1) log.line('stderr', 'The server was restarted; staging begins again');
        const record = await stageBuild(build, { queries, means, log, signal });
        await log.close();
        await this.#staged(build, record);
      } catch (error) {
        if (this.#closed && signal.aborted) {
          await log.flush();
          await this.#release(build);
          return 'again';
        }
        if (isDatabaseAway(error)) throw error;
        if (!isStagerError(error) && !signal.aborted) this.#parts.report(`build ${build.guid}`, error);
        const failure = buildFailure(asStagerError(signal.aborted ? (signal.reason ?? error) : error));
        log.line('stderr', `${failure.id} - ${failure.description}`);
        await log.close().catch(() => undefined);
        await this.#failed(build, failure);
      }
      return 'done';
    } finally {
      onChange(build.guid);
    }
  }

  async #staged(build: BuildRow, record: Parameters<typeof dropletRow>[1]): Promise<void> {
    await this.#queries.transaction().execute(async (transaction) => {
      if (!(await settle(transaction, build, { state: 'STAGED' }))) return;
      await transaction.insertInto('droplets').values(dropletRow(build, record)).execute();
    });
  }

  async #failed(build: BuildRow, { id, description }: BuildFailure): Promise<void> {
    await settle(this.#queries, build, {
      state: 'FAILED',
      error_id: id,
      error_description: description,
    });
  }

  /** Not staging failed, but what is around it. */
  async #broken(guid: Guid, error: unknown): Promise<void> {
    const { id: error_id, description: error_description } = buildFailure(asStagerError(error));
    await this.#queries
      .updateTable('builds')
      .set({ state: 'FAILED', error_id, error_description, finished_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .where('state', '=', 'STAGING')
      .where('claimed_by', '=', this.#name)
      .execute();
    this.#parts.onChange(guid);
  }

  /** Gives it back as if it had not been begun. */
  async #release(build: BuildRow): Promise<void> {
    await this.#queries
      .updateTable('builds')
      .set({ claimed_by: null, heartbeat_at: sql<Date>`null`, attempts: sql<number>`attempts - 1` })
      .where('guid', '=', build.guid)
      .where('fence', '=', build.fence)
      .where('state', '=', 'STAGING')
      .execute();
  }

  async #finishUnclaimed(build: Guid, { id, description }: BuildFailure): Promise<void> {
    await this.#queries
      .updateTable('builds')
      .set({
        state: 'FAILED',
        error_id: id,
        error_description: description,
        finished_at: sql<Date>`now()`,
        updated_at: sql<Date>`now()`,
      })
      .where('guid', '=', build)
      .where('state', '=', 'STAGING')
      .where('claimed_by', 'is', null)
      .execute();
    await this.#queries
      .updateTable('build_logs')
      .set({ closed_at: sql<Date>`now()` })
      .where('build_guid', '=', build)
      .where('closed_at', 'is', null)
      .where('build_guid', 'in', (eb) =>
        eb.selectFrom('builds').select('guid').where('guid', '=', build).where('state', '<>', 'STAGING'),
      )
      .execute();
    this.#parts.onChange(build);
  }
}

const STOPPED = 'the server stops';

/** Writes the end of a build, if it is still this worker's. */
async function settle(
  queries: Queries,
  build: BuildRow,
  end: {
    readonly state: 'STAGED' | 'FAILED';
    readonly error_id?: string;
    readonly error_description?: string;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('builds')
    .set({ ...end, finished_at: sql<Date>`now()`, updated_at: sql<Date>`now()` })
    .where('guid', '=', build.guid)
    .where('fence', '=', build.fence)
    .where('state', '=', 'STAGING')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function cancelledBecause(reason: string): StagerError {
  return new StagerError('CANCELLED', reason, { next: 'Stage again when it is wanted.' });
}

function interrupted(): StagerError {
  return new StagerError('UNEXPECTED', 'the server was restarted during each of the attempts to stage it', {
    next: 'Stage again.',
  });
}
