/**
 * What waits to be done: pg-boss, in the same database, in a schema of its own. It holds guids only; what is to be done
 * stands in our tables, written in the same transaction. Whoever takes one has a claim and keeps it alive; a claim that
 * is not renewed runs out, and another may take the same. docs/decisions/queue.md says what is its work and what ours.
 */
import { randomInt } from 'node:crypto';
import { type Db, fromKysely, PgBoss } from 'pg-boss';
import type { Guid } from '../../words/ids.ts';
import { parseGuid } from '../../words/ids.ts';
import type { Queries } from './database.ts';
import type { Driver } from './driver.ts';

/** Their names in the database. */
export type QueueName = 'jobs' | 'builds' | 'webhooks';

/** Seconds until what was given back may be taken again; it doubles each time, with some chance, up to the longest. */
const BACKOFF = { retryDelay: 5, retryBackoff: true, retryDelayMax: 7200 } as const;
const QUEUES: readonly { readonly name: QueueName; readonly backoff?: typeof BACKOFF }[] = [
  { name: 'jobs' },
  { name: 'builds' },
  { name: 'webhooks', backoff: BACKOFF },
];

/** Somebody works on it: good until it is settled, given back or runs out. */
export interface Claim {
  readonly id: Guid;
  /** Grows with every claim of the same: what an older one settles changes nothing. */
  readonly retryCount: number;
}

/** Seconds. A claim that was not renewed for so long is nobody's. */
const SILENT_S = 20;
/** Seconds between looks for claims that ran out. */
const SUPERVISE_S = 10;
/** Seconds. The longest that anything may take; stagings have limits of their own. */
const LONGEST_S = 86_400;
/** Who counts attempts is the row of a build. */
const RETRIES = 100_000;
const DAY_S = 86_400;
/** Priorities are integers of PostgreSQL. */
const MOST_PRIORITY = 2 ** 31 - 1;

/** See the top of the file. */
export class WorkQueue {
  readonly #boss: PgBoss;

  private constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  /** Makes or updates its tables where that is needed. */
  static async open(db: Db, kind: Driver['kind']): Promise<WorkQueue> {
    const boss = new PgBoss({
      db,
      backend: kind === 'embedded' ? 'pglite' : 'postgres',
      schema: 'queue',
      schedule: false,
      registerInstance: false,
      monitorVacuum: false,
      reindex: false,
      openTelemetry: { enabled: false },
      superviseIntervalSeconds: SUPERVISE_S,
      monitorIntervalSeconds: SUPERVISE_S,
      bamIntervalSeconds: DAY_S,
      flowIntervalSeconds: DAY_S,
    });
    // What it does by itself is done again at the next interval; what we ask it for throws.
    boss.on('error', () => undefined);
    await boss.start();
    const there = new Set((await boss.getQueues(QUEUES.map(({ name }) => name))).map(({ name }) => name));
    for (const { name, backoff } of QUEUES.filter((queue) => !there.has(queue.name))) {
      await boss.createQueue(name, {
        ...backoff,
        retryLimit: RETRIES,
        heartbeatSeconds: SILENT_S,
        expireInSeconds: LONGEST_S - 1,
        retentionSeconds: 365 * DAY_S,
      });
    }
    return new WorkQueue(boss);
  }

  /** Adds one, in the transaction that writes down what is to be done. One that waits already is not added again. */
  async add(name: QueueName, id: Guid, via: Queries): Promise<void> {
    await this.#boss.send(name, null, { id, db: fromKysely(via) });
  }

  /** Claims what has waited longest. */
  async take(name: QueueName, most: number): Promise<readonly Claim[]> {
    const taken = await this.#boss.fetch(name, { batchSize: most, includeMetadata: true });
    return taken.flatMap(({ id, retryCount }) => {
      const guid = parseGuid(id);
      return guid === undefined ? [] : [{ id: guid, retryCount }];
    });
  }

  /**
   * Claims this one, if nobody has it: pg-boss takes by priority, so it is given one that no other has, and then asked
   * for. To be called in a transaction, so that it does not keep that priority when anything fails.
   */
  async takeThis(name: QueueName, id: Guid, via: Queries): Promise<Claim | undefined> {
    const db = fromKysely(via);
    const priority = randomInt(1, MOST_PRIORITY);
    const { updated } = await this.#boss.update(name, undefined, { id, priority, db });
    if (updated === 0) return undefined;
    const only = { minPriority: priority, maxPriority: priority };
    const taken = await this.#boss.fetch(name, { ...only, includeMetadata: true, db });
    const [claim] = taken.filter((job) => job.id === id);
    return claim === undefined ? undefined : { id, retryCount: claim.retryCount };
  }

  /** It is over, whoever had it; in the transaction that says so. */
  async drop(name: QueueName, id: Guid, via: Queries): Promise<void> {
    await this.#boss.deleteJob(name, id, { db: fromKysely(via) });
  }

  /** Keeps claims alive. */
  async renew(name: QueueName, claims: readonly Claim[]): Promise<void> {
    if (claims.length > 0) await this.#boss.touch(name, [...claims]);
  }

  /** It is done, and nobody needs to know any more. */
  async done(name: QueueName, claim: Claim): Promise<void> {
    await this.#boss.deleteJob(name, claim);
  }

  /** Somebody else may take it: at once, or after the time of its queue. */
  async giveBack(name: QueueName, claim: Claim): Promise<void> {
    await this.#boss.fail(name, claim);
  }

  /** For who knows that no other process has this database: every claim is a dead one's. */
  async giveBackAll(name: QueueName): Promise<void> {
    const all = await this.#boss.findJobs(name, { limit: 100_000 });
    const claimed = all.flatMap(({ id, state }) => (state === 'active' ? [id] : []));
    if (claimed.length > 0) await this.#boss.fail(name, claimed);
  }

  /** Gives back what ran out; it looks by itself now and then. */
  async supervise(): Promise<void> {
    await this.#boss.supervise();
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}
