/** What others know of the worker of this process: that it is there, and why it takes no builds. */
import { type Guid, newGuid } from '../../words/ids.ts';
import type { Log } from '../../words/telemetry.ts';
import { forgetWorker, sayAlive, type WorkerIdentity } from '../queue/workers.ts';
import type { Queries } from '../state/database.ts';

export interface WorkerPresenceParts {
  readonly queries: Queries;
  readonly worker: Omit<WorkerIdentity, 'guid'>;
  /** One sentence when its disk has no room for stagings. */
  readonly shortOfDisk: () => Promise<string | undefined>;
  readonly log: Log;
}

/** See the top of the file. */
export class WorkerPresence {
  readonly #parts: WorkerPresenceParts;
  readonly #me: WorkerIdentity;
  #draining = false;
  #shortOfDisk: string | undefined;

  constructor(parts: WorkerPresenceParts) {
    this.#parts = parts;
    this.#me = { guid: newGuid(), ...parts.worker };
  }

  get guid(): Guid {
    return this.#me.guid;
  }

  /** It with what it can take now: nothing new while its disk is nearly full. */
  get able(): WorkerIdentity {
    if (this.#shortOfDisk === undefined) return this.#me;
    return { ...this.#me, capacity: { ...this.#me.capacity, slots: 0 } };
  }

  /** Looks at the disk. @returns whether others have to be told. */
  async look(): Promise<boolean> {
    const { shortOfDisk, log } = this.#parts;
    const [was, why] = [this.#shortOfDisk, await shortOfDisk()];
    this.#shortOfDisk = why;
    if ((was === undefined) === (why === undefined)) return false;
    if (why === undefined) log.info('worker takes builds again', { worker: this.#me.name });
    else log.error('worker takes no builds', { worker: this.#me.name, why });
    return true;
  }

  async say(): Promise<void> {
    const hindrances = { draining: this.#draining, shortOfDisk: this.#shortOfDisk };
    await sayAlive(this.#parts.queries, this.#me, hindrances);
  }

  /** From now on it takes nothing more. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.say();
  }

  /** It ends by itself. */
  async end(): Promise<void> {
    await forgetWorker(this.#parts.queries, this.#me.guid);
  }
}
