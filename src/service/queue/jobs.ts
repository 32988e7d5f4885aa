/**
 * Work that outlives its request: the answer names a job, the work continues, and whoever asked reads how it ended.
 *
 * A job is a row before anything is done, so that a crash forgets none; at the next start unfinished ones are run again.
 * The work of an operation can therefore be repeated, and must be able to.
 */
import { sql } from 'kysely';
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Caller } from '../access/caller.ts';
import { json, type Row } from '../state/columns.ts';
import type { Queries } from '../state/database.ts';
import type { JobError, JobsTable } from '../state/schema-platform.ts';

export type Job = Row<JobsTable>;
export type JobInput = Readonly<Record<string, unknown>>;

/** Does the work of one operation. */
export type JobWork = (input: JobInput, signal: AbortSignal) => Promise<void>;

/** operation, such as `space.delete` → its work. */
export type JobTable = Readonly<Record<string, JobWork>>;

export interface JobParts {
  readonly queries: Queries;
  readonly table: JobTable;
  /** A failure as the job shows it. */
  readonly explain: (error: unknown) => readonly JobError[];
}

/** See the top of the file. */
export class Jobs {
  readonly #parts: JobParts;
  readonly #running = new Map<Guid, Promise<void>>();
  readonly #ended = new AbortController();

  constructor(parts: JobParts) {
    this.#parts = parts;
  }

  /** Writes the job down and begins. @returns its guid, for the Location header. */
  async start(operation: string, input: JobInput, caller: Caller): Promise<Guid> {
    const guid = newGuid();
    await this.#parts.queries
      .insertInto('jobs')
      .values({ guid, operation, input: json(input), user_guid: caller.guid })
      .execute();
    this.#begin(guid, operation, input);
    return guid;
  }

  /** Takes up what an earlier process left unfinished. Call it once, at start. */
  async resume(): Promise<void> {
    const left = await this.#parts.queries
      .selectFrom('jobs')
      .select(['guid', 'operation', 'input'])
      .where('state', 'in', ['PROCESSING', 'POLLING'])
      .orderBy('id')
      .execute();
    for (const { guid, operation, input } of left) this.#begin(guid, operation, input);
  }

  async find(guid: Guid): Promise<Job | undefined> {
    return await this.#parts.queries
      .selectFrom('jobs')
      .selectAll()
      .where('guid', '=', guid)
      .executeTakeFirst();
  }

  /** Settles when a job of this process is over, or after a while. */
  async settled(guid: Guid, withinMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, withinMs);
    await Promise.race([promise, this.#running.get(guid)]);
    clearTimeout(timer);
  }

  /** Settles when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Asks what runs to end, and waits for it. What is not done then is taken up at the next start. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.idle();
  }

  #begin(guid: Guid, operation: string, input: JobInput): void {
    if (this.#ended.signal.aborted) return;
    const run = this.#run(guid, operation, input).finally(() => this.#running.delete(guid));
    this.#running.set(guid, run);
  }

  async #run(guid: Guid, operation: string, input: JobInput): Promise<void> {
    const { signal } = this.#ended;
    try {
      const work = this.#parts.table[operation];
      if (work === undefined) throw new Error(`no operation ${operation}`);
      await work(input, signal);
      await this.#finish(guid, 'COMPLETE', []);
    } catch (error) {
      if (!signal.aborted) await this.#finish(guid, 'FAILED', this.#parts.explain(error));
    }
  }

  async #finish(guid: Guid, state: 'COMPLETE' | 'FAILED', errors: readonly JobError[]): Promise<void> {
    await this.#parts.queries
      .updateTable('jobs')
      // What it was asked is not needed any more, and may hold secrets.
      .set({ state, errors: json(errors), input: json({}), updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .execute();
  }
}
