/** Takes entries from a queue, up to a number at the same time, does the work, and keeps the claims alive meanwhile. */
import type { Clock } from '../../words/clock.ts';
import type { Guid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import { isDatabaseAway } from '../state/failures.ts';
import type { Claim, QueueName, WorkQueue } from '../state/work-queue.ts';

/** Milliseconds between renewals, and between looks for what others left. */
const BEAT_MS = 5000;
/** Milliseconds until what was left for a moment is looked at again. */
const LOOK_AGAIN_MS = 500;

export interface TakerParts {
  readonly queue: WorkQueue;
  readonly name: QueueName;
  /** At once. */
  readonly most: number;
  readonly clock: Clock;
  /**
   * Does one. `again`: somebody else shall do it. While the database is away it stays claimed until that runs out; any
   * other failure is a bug, and ends it by `fail`.
   */
  readonly work: (id: Guid, signal: AbortSignal) => Promise<'done' | 'again'>;
  /** Writes down that one failed by a bug. */
  readonly fail: (id: Guid, error: unknown) => Promise<void>;
  readonly report: ReportBug;
  /** Takes otherwise than what has waited longest. `later`: it is worth to look again in a moment. */
  readonly takeOne?: (running: readonly Guid[]) => Promise<Claim | 'later' | undefined>;
  /** Called with every renewal, with what runs here. */
  readonly onBeat?: (running: readonly Guid[]) => Promise<void>;
}

interface Running {
  claim: Claim;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** See the top of the file. */
export class Taker {
  readonly #parts: TakerParts;
  readonly #running = new Map<Guid, Running>();
  #taking: Promise<void> = Promise.resolve();
  /** Takes nothing more. */
  #closed = false;
  #ended = false;
  #cancelBeat: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(parts: TakerParts) {
    this.#parts = parts;
  }

  /** `alone`: no other process has this database, so every claim is a dead one's. */
  async start({ alone }: { readonly alone: boolean }): Promise<void> {
    if (alone) await this.#parts.queue.giveBackAll(this.#parts.name);
    this.wake();
    this.#beat();
  }

  /** What runs here. */
  get running(): readonly Guid[] {
    return [...this.#running.keys()];
  }

  /** There may be something to do. */
  wake(): void {
    this.#taking = this.#taking.then(() => this.#take()).catch((error: unknown) => this.#report(error));
  }

  /** Settles when one is over, if it runs here. */
  async settled(id: Guid): Promise<void> {
    await this.#taking;
    await this.#running.get(id)?.done;
  }

  /** Settles when nothing runs here. */
  async idle(): Promise<void> {
    await this.#taking;
    while (this.#running.size > 0) {
      await Promise.all([...this.#running.values()].map(({ done }) => done));
      await this.#taking;
    }
  }

  /** Ends one that runs here. @returns false when none does. */
  async abort(id: Guid, reason: unknown): Promise<boolean> {
    await this.#taking;
    const running = this.#running.get(id);
    running?.abort.abort(reason);
    await running?.done;
    return running !== undefined;
  }

  /** Takes nothing from now on, and gives what runs so many milliseconds to end by itself. */
  async drain(graceMs: number): Promise<void> {
    this.#closed = true;
    await this.#taking;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.schedule(graceMs, resolve);
    await Promise.race([promise, this.idle()]);
    cancel();
  }

  /** Takes nothing from now on, ends what runs, and waits for it. */
  async close(reason: unknown): Promise<void> {
    this.#closed = true;
    this.#ended = true;
    this.#cancelBeat?.();
    this.#cancelLook?.();
    await this.#taking;
    for (const { abort } of this.#running.values()) abort.abort(reason);
    await this.idle();
  }

  #beat(): void {
    if (this.#ended) return;
    this.#cancelBeat = this.#parts.clock.schedule(BEAT_MS, () => {
      void this.#renew()
        .catch((error: unknown) => this.#report(error))
        .finally(() => this.#beat());
    });
  }

  async #renew(): Promise<void> {
    const { queue, name, onBeat } = this.#parts;
    const claims = [...this.#running.values()].map(({ claim }) => claim);
    await queue.renew(name, claims);
    await onBeat?.(claims.map(({ id }) => id));
    this.wake();
  }

  async #take(): Promise<void> {
    const { queue, name, most, takeOne, clock } = this.#parts;
    while (takeOne !== undefined && !this.#closed && this.#running.size < most) {
      const claim = await takeOne(this.running);
      if (claim === 'later') {
        this.#cancelLook?.();
        this.#cancelLook = clock.schedule(LOOK_AGAIN_MS, () => this.wake());
      }
      if (claim === undefined || claim === 'later') return;
      this.#begin(claim);
    }
    while (takeOne === undefined && !this.#closed && this.#running.size < most) {
      const claims = await queue.take(name, most - this.#running.size);
      if (claims.length === 0) return;
      for (const claim of claims) this.#begin(claim);
    }
  }

  #begin(claim: Claim): void {
    const same = this.#running.get(claim.id);
    // Ours ran out, since this process or its database stood still, and nobody else was faster.
    if (same !== undefined) {
      same.claim = claim;
      return;
    }
    const abort = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const running: Running = { claim, abort, done };
    this.#running.set(claim.id, running);
    void this.#do(running).finally(() => {
      this.#running.delete(claim.id);
      this.wake();
      resolve();
    });
  }

  async #do(running: Running): Promise<void> {
    const { queue, name, work } = this.#parts;
    try {
      const end = await work(running.claim.id, running.abort.signal);
      if (end === 'done') await queue.done(name, running.claim);
      else await queue.giveBack(name, running.claim);
    } catch (error) {
      // While the database is away the claim runs out, and it is taken up again.
      if (isDatabaseAway(error)) return;
      this.#report(error);
      await this.#fail(running.claim, error).catch((second: unknown) => this.#report(second));
    }
  }

  async #fail(claim: Claim, error: unknown): Promise<void> {
    const { queue, name, fail } = this.#parts;
    await fail(claim.id, error);
    await queue.done(name, claim);
  }

  #report(error: unknown): void {
    if (!isDatabaseAway(error)) this.#parts.report(`the queue of ${this.#parts.name}`, error);
  }
}
