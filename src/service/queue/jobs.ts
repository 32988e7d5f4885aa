/**
 * Work that outlives its request: the answer names a job, the work continues, and whoever asked reads how it ended.
 *
 * A job is a row, and waits in the queue, before anything is done, so that a crash forgets none: one whose process died
 * is taken up again. The work of an operation can therefore be repeated, and must be able to.
 */
import { sql } from 'kysely';
import type { Clock } from '../../words/clock.ts';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import type { Caller } from '../access/caller.ts';
import { json, type Row } from '../state/columns.ts';
import type { Database, Queries } from '../state/database.ts';
import { isDatabaseAway } from '../state/failures.ts';
import type { JobError, JobsTable } from '../state/schema-platform.ts';
import { Taker } from './taker.ts';

export type Job = Row<JobsTable>;
export type JobInput = Readonly<Record<string, unknown>>;

/** Does the work of one operation. */
export type JobWork = (input: JobInput, signal: AbortSignal) => Promise<void>;

/** operation, such as `space.delete` → its work. */
export type JobTable = Readonly<Record<string, JobWork>>;

/** At once, in this process. */
const MOST = 8;

export interface JobParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly table: JobTable;
  /** A failure as the job shows it. */
  readonly explain: (error: unknown) => readonly JobError[];
  readonly report: ReportBug;
}

/** See the top of the file. */
export class Jobs {
  readonly #parts: JobParts;
  readonly #queries: Queries;
  readonly #taker: Taker;

  constructor(parts: JobParts) {
    this.#parts = parts;
    this.#queries = parts.database.queries;
    this.#taker = new Taker({
      queue: parts.database.queue,
      name: 'jobs',
      most: MOST,
      clock: parts.clock,
      work: async (guid, signal) => await this.#work(guid, signal),
      fail: async (guid, error) => await this.#finish(guid, 'FAILED', parts.explain(error)),
      report: parts.report,
    });
  }

  /** Writes the job down; it begins at once if not much else runs. @returns its guid, for the Location header. */
  async start(operation: string, input: JobInput, caller: Caller): Promise<Guid> {
    const guid = newGuid();
    await this.#queries.transaction().execute(async (transaction) => {
      await transaction
        .insertInto('jobs')
        .values({ guid, operation, input: json(input), user_guid: caller.guid })
        .execute();
      await this.#parts.database.queue.add('jobs', guid, transaction);
    });
    this.#taker.wake();
    return guid;
  }

  /** Begins to work, with what an earlier process left unfinished. */
  async resume(): Promise<void> {
    await this.#taker.start({ alone: this.#parts.database.kind === 'embedded' });
  }

  async find(guid: Guid): Promise<Job | undefined> {
    return await this.#queries.selectFrom('jobs').selectAll().where('guid', '=', guid).executeTakeFirst();
  }

  /** Settles when a job of this process is over, or after a while. */
  async settled(guid: Guid, withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.schedule(withinMs, resolve);
    await Promise.race([promise, this.#taker.settled(guid)]);
    cancel();
  }

  /** Settles when nothing runs. */
  async idle(): Promise<void> {
    await this.#taker.idle();
  }

  /** Asks what runs to end, and waits for it. What is not done then is taken up at the next start. */
  async close(): Promise<void> {
    await this.#taker.close(undefined);
  }

  async #work(guid: Guid, signal: AbortSignal): Promise<'done' | 'again'> {
    const job = await this.find(guid);
    if (job === undefined || job.state === 'COMPLETE' || job.state === 'FAILED') return 'done';
    try {
      const work = this.#parts.table[job.operation];
      if (work === undefined) throw new Error(`no operation ${job.operation}`);
      await work(job.input, signal);
      await this.#finish(guid, 'COMPLETE', []);
    } catch (error) {
      if (signal.aborted) return 'again';
      if (isDatabaseAway(error)) throw error;
      await this.#finish(guid, 'FAILED', this.#parts.explain(error));
    }
    return 'done';
  }

  async #finish(guid: Guid, state: 'COMPLETE' | 'FAILED', errors: readonly JobError[]): Promise<void> {
    await this.#queries
      .updateTable('jobs')
      // What it was asked is not needed any more, and may hold secrets.
      .set({ state, errors: json(errors), input: json({}), updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute();
  }
}
