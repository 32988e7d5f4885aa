/**
 * Runs the builds that are STAGING, oldest first, several at once. A claim raises the fence of a build, and what its
 * worker writes later names that fence: one that was given up and wakes again changes nothing. Claims are kept alive by
 * a heartbeat; a build whose worker fell silent is taken up by another, once, and fails with the reason after that.
 */
import { sql } from 'kysely';
import type { Clock } from '../../words/clock.ts';
import { asStagerError } from '../../words/error-report.ts';
import { StagerError } from '../../words/errors.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Queries } from '../state/database.ts';
import { type BuildFailure, buildFailure } from './build-failure.ts';
import { BuildLog } from './build-log.ts';
import type { StagingMeans } from './means.ts';
import { type BuildRow, dropletRow, stageBuild } from './stage-build.ts';

/** Seconds. A claim that was not renewed for so long is nobody's. */
const SILENT_S = 30;
/** Milliseconds between renewals, and between looks for builds of silent workers. */
const BEAT_MS = 8000;
const MAX_ATTEMPTS = 2;

export interface BuildWorkerParts {
  readonly queries: Queries;
  readonly means: StagingMeans;
  readonly clock: Clock;
  /** Called when there is something new to read of a build: lines, or its end. */
  readonly onChange: (build: Guid) => void;
}

/** See the top of the file. */
export class BuildWorker {
  readonly #parts: BuildWorkerParts;
  readonly #name = newGuid();
  readonly #running = new Map<Guid, { readonly abort: AbortController; readonly done: Promise<void> }>();
  #claiming: Promise<void> = Promise.resolve();
  #closed = false;
  #cancelTimer: (() => void) | undefined;

  constructor(parts: BuildWorkerParts) {
    this.#parts = parts;
  }

  /** Begins to look for builds. `alone`: no other process has this database, so every claim is a dead one's. */
  async start({ alone }: { readonly alone: boolean }): Promise<void> {
    if (alone) {
      await this.#parts.queries
        .updateTable('builds')
        .set({ claimed_by: null, heartbeat_at: sql<Date>`null` })
        .where('state', '=', 'STAGING')
        .execute();
    }
    this.wake();
    this.#beat();
  }

  /** There may be a build to run. */
  wake(): void {
    this.#claiming = this.#claiming.then(() => this.#claim()).catch(() => undefined);
  }

  /** Settles when nothing runs that this process has claimed. */
  async idle(): Promise<void> {
    await this.#claiming;
    while (this.#running.size > 0) {
      await Promise.all([...this.#running.values()].map(({ done }) => done));
      await this.#claiming;
    }
  }

  /** Ends a build. Settles when it is final, if it runs here. */
  async cancel(build: Guid, reason: string): Promise<void> {
    await this.#parts.queries
      .updateTable('builds')
      .set({ cancel_requested_at: sql<Date>`now()` })
      .where('guid', '=', build)
      .where('state', '=', 'STAGING')
      .execute();
    const running = this.#running.get(build);
    if (running !== undefined) {
      running.abort.abort(cancelledBecause(reason));
      await running.done;
      return;
    }
    await this.#finishUnclaimed(build, { id: 'StagingError', description: `Staging error: ${reason}` });
  }

  /** Ends what runs; it is taken up at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    for (const { abort } of this.#running.values()) abort.abort(new StagerError('CANCELLED', STOPPED));
    await this.idle();
  }

  #beat(): void {
    if (this.#closed) return;
    this.#cancelTimer = this.#parts.clock.schedule(BEAT_MS, () => {
      void this.#renew()
        .catch(() => undefined)
        .finally(() => this.#beat());
    });
  }

  async #renew(): Promise<void> {
    const rows = await this.#parts.queries
      .updateTable('builds')
      .set({ heartbeat_at: sql<Date>`now()` })
      .where('claimed_by', '=', this.#name)
      .where('state', '=', 'STAGING')
      .returning(['guid', 'cancel_requested_at'])
      .execute();
    for (const { guid, cancel_requested_at } of rows) {
      if (cancel_requested_at !== null)
        this.#running.get(guid)?.abort.abort(cancelledBecause('it was cancelled'));
    }
    this.wake();
  }

  async #claim(): Promise<void> {
    while (!this.#closed && this.#running.size < this.#parts.means.defaults.workers) {
      const build = await this.#next();
      if (build === undefined) return;
      const abort = new AbortController();
      const done = this.#run(build, abort.signal).finally(() => {
        this.#running.delete(build.guid);
        this.wake();
      });
      this.#running.set(build.guid, { abort, done });
    }
  }

  async #next(): Promise<BuildRow | undefined> {
    return await this.#parts.queries
      .updateTable('builds')
      .set({
        claimed_by: this.#name,
        claimed_at: sql<Date>`now()`,
        heartbeat_at: sql<Date>`now()`,
        fence: sql<number>`fence + 1`,
        attempts: sql<number>`attempts + 1`,
      })
      .where('guid', 'in', (eb) =>
        eb
          .selectFrom('builds')
          .select('guid')
          .where('state', '=', 'STAGING')
          .where(
            sql<boolean>`(claimed_by is null or heartbeat_at < now() - ${SILENT_S} * interval '1 second')`,
          )
          .orderBy('id')
          .limit(1)
          .forUpdate()
          .skipLocked(),
      )
      .returningAll()
      .executeTakeFirst();
  }

  async #run(build: BuildRow, signal: AbortSignal): Promise<void> {
    const { queries, means, clock, onChange } = this.#parts;
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
          return;
        }
        const failure = buildFailure(asStagerError(signal.aborted ? (signal.reason ?? error) : error));
        log.line('stderr', `${failure.id} - ${failure.description}`);
        await log.close().catch(() => undefined);
        await this.#failed(build, failure);
      }
    } catch {
      // The database is away: the claim runs out, and the build is taken up again.
    } finally {
      onChange(build.guid);
    }
  }

  async #staged(build: BuildRow, record: Parameters<typeof dropletRow>[1]): Promise<void> {
    await this.#parts.queries.transaction().execute(async (transaction) => {
      if (!(await settle(transaction, build, { state: 'STAGED' }))) return;
      await transaction.insertInto('droplets').values(dropletRow(build, record)).execute();
    });
  }

  async #failed(build: BuildRow, { id, description }: BuildFailure): Promise<void> {
    await settle(this.#parts.queries, build, {
      state: 'FAILED',
      error_id: id,
      error_description: description,
    });
  }

  /** Gives it back as if it had not been begun. */
  async #release(build: BuildRow): Promise<void> {
    await this.#parts.queries
      .updateTable('builds')
      .set({ claimed_by: null, heartbeat_at: sql<Date>`null`, attempts: sql<number>`attempts - 1` })
      .where('guid', '=', build.guid)
      .where('fence', '=', build.fence)
      .where('state', '=', 'STAGING')
      .execute();
  }

  async #finishUnclaimed(build: Guid, { id, description }: BuildFailure): Promise<void> {
    await this.#parts.queries
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
    await this.#parts.queries
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
