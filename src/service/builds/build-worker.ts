/**
 * Runs builds, several at once. Which one comes next is queue/placement.ts. Every claim raises the fence of a build's row,
 * and what its worker writes later names that fence: one that was given up and wakes again changes nothing. A build
 * whose worker fell silent is taken up by another, once, and fails with the reason after that.
 *
 * Without a capacity it takes none, but cancels, and ends what waits in vain.
 */
import type { Clock } from '../../words/clock.ts';
import { asStagerError } from '../../words/error-report.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { Guid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import type { Telemetry } from '../../words/telemetry.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { takeNextBuild } from '../queue/placement.ts';
import { Taker } from '../queue/taker.ts';
import { findHopeless, type Largest, markUnfit } from '../queue/waiting.ts';
import type { Capacity } from '../queue/workers.ts';
import type { Database, Queries } from '../state/database.ts';
import { isDatabaseAway } from '../state/failures.ts';
import type { Signal } from '../state/signals.ts';
import { buildFailure, cancelledBecause, interrupted, lifecycleFailure } from './build-failure.ts';
import { BuildLog } from './build-log.ts';
import {
  addToQueue,
  failBroken,
  failUnclaimed,
  releaseAll,
  releaseBuild,
  renewBuilds,
  requestCancel,
  writeFailed,
  writeStaged,
} from './build-rows.ts';
import { BuildTelemetry } from './build-telemetry.ts';
import { discardLostDroplet } from './discard-lost-droplet.ts';
import { endElsewhere } from './end-elsewhere.ts';
import type { StagingMeans } from './means.ts';
import { patiently } from './patiently.ts';
import { stageBuild } from './stage-build.ts';
import type { BuildRow } from './stage-parts.ts';
import { WorkerPresence } from './worker-presence.ts';

const MAX_ATTEMPTS = 2;
/** Milliseconds that a cancellation waits for the worker that has the build. */
const CANCEL_WAIT_MS = 3000;

export interface BuildWorkerParts {
  readonly database: Database;
  readonly means: StagingMeans;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly report: ReportBug;
  readonly telemetry: Telemetry;
  /** Undefined: takes no builds. */
  readonly worker: WorkerSettings | undefined;
  readonly waiting: WaitingSettings;
  /** Called when there is something new to read of a build: lines, or its end. */
  readonly onChange: (build: Guid) => void;
}

export interface WorkerSettings {
  readonly name: string;
  readonly version: string;
  readonly capacity: Capacity;
}

export interface WaitingSettings {
  /** Seconds that a build waits for a worker that is large enough. */
  readonly patienceS: number;
  readonly largest: Largest;
}

/** See the top of the file. */
export class BuildWorker {
  readonly #parts: BuildWorkerParts;
  readonly #queries: Queries;
  readonly #me: WorkerPresence | undefined;
  readonly #taker: Taker;
  readonly #claimed = new Map<Guid, BuildRow>();
  #closed = false;
  #unlisten: (() => void) | undefined;

  constructor(parts: BuildWorkerParts) {
    const { database, clock, worker, means, telemetry } = parts;
    this.#parts = parts;
    this.#queries = database.queries;
    this.#me =
      worker &&
      new WorkerPresence({
        queries: database.queries,
        worker,
        shortOfDisk: () => means.shortOfDisk(),
        log: telemetry.log,
      });
    this.#taker = new Taker({
      queue: database.queue,
      name: 'builds',
      most: worker?.capacity.slots ?? 0,
      clock,
      takeOne: async (running) => await this.#takeOne(running),
      work: async (guid, signal) => await this.#work(guid, signal),
      fail: async (guid, error) => await this.#broken(guid, error),
      report: parts.report,
      onBeat: async (running) => await this.#beat(running),
    });
  }

  /** Begins to look for builds. */
  async start(): Promise<void> {
    const { database } = this.#parts;
    const alone = database.kind === 'embedded';
    if (alone) await releaseAll(this.#queries);
    await addToQueue(database);
    await this.#me?.look();
    await this.#me?.say();
    this.#unlisten = database.signals.listen((signal) => this.#hear(signal));
    await this.#taker.start({ alone });
  }

  /** There is a build to run, here or elsewhere. */
  wake(): void {
    this.#parts.database.signals.send({ kind: 'queued' });
    this.#taker.wake();
    void this.#judge().catch(() => undefined);
  }

  /** Settles when nothing runs that this process has claimed. */
  async idle(): Promise<void> {
    await this.#taker.idle();
  }

  /** Ends a build. Settles when it is final, or after a while. */
  async cancel(build: Guid, reason: string): Promise<void> {
    const { database, clock } = this.#parts;
    await requestCancel(this.#queries, build);
    if (await this.#taker.abort(build, cancelledBecause(reason))) return;
    database.signals.send({ kind: 'cancelled', build });
    if (await this.#fail(build, reason)) return;
    await endElsewhere({ database, clock, withinMs: CANCEL_WAIT_MS }, build);
  }

  /** Takes nothing more, and gives what runs this long; what is not done then goes back to the others. */
  async drain(graceMs: number): Promise<void> {
    await this.#me?.drain().catch(() => undefined);
    await this.#taker.drain(graceMs);
    await this.close();
  }

  /** Ends what runs; it is taken up by others, or at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unlisten?.();
    await this.#taker.close(new StagerError('CANCELLED', STOPPED));
    await this.#me?.end().catch(() => undefined);
    this.#parts.database.signals.send({ kind: 'queued' });
  }

  #hear(signal: Signal): void {
    if (signal.kind === 'queued') this.#taker.wake();
    else if (signal.kind === 'unknown') {
      this.#taker.wake();
      void this.#beat(this.#taker.running).catch(() => undefined);
    } else if (signal.kind === 'cancelled') {
      void this.#taker.abort(signal.build, cancelledBecause('it was cancelled'));
    }
  }

  async #takeOne(running: readonly Guid[]) {
    if (this.#me === undefined) return undefined;
    if (await this.#me.look()) await this.#beat(running);
    const choice = await takeNextBuild(this.#parts.database, this.#me.able, running);
    if (choice.kind !== 'taken') return choice.kind === 'later' ? ('later' as const) : undefined;
    const { claim, build } = choice.taken;
    if (build !== undefined) this.#claimed.set(claim.id, build);
    return claim;
  }

  /** Says that this worker and its builds are alive; ends what was cancelled elsewhere, and what another has by now. */
  async #beat(running: readonly Guid[]): Promise<void> {
    if (this.#me !== undefined) {
      await this.#me.say();
      const ends = await renewBuilds(this.#queries, this.#me.guid, running);
      for (const [guid, why] of ends) void this.#taker.abort(guid, cancelledBecause(why));
    }
    await this.#judge();
  }

  /** Ends what waits in vain. */
  async #judge(): Promise<void> {
    const { largest, patienceS } = this.#parts.waiting;
    const hopeless = await findHopeless(this.#queries, largest);
    const overdue = await markUnfit(this.#queries, patienceS);
    for (const { guid, why } of [...hopeless, ...overdue])
      await this.#fail(guid, why, 'InsufficientResources');
  }

  async #fail(build: Guid, reason: string, id = 'StagingError'): Promise<boolean> {
    const { database } = this.#parts;
    const words = id === 'StagingError' ? 'Staging error' : 'Insufficient resources';
    const done = await failUnclaimed(database, build, { id, description: `${words}: ${reason}` });
    if (done) this.#changed(build);
    return done;
  }

  /** Not staging failed, but what is around it. */
  async #broken(build: Guid, error: unknown): Promise<void> {
    await failBroken(
      this.#parts.database,
      { build, worker: this.#me?.guid },
      buildFailure(asStagerError(error)),
    );
    this.#changed(build);
  }

  #changed(build: Guid): void {
    this.#parts.onChange(build);
    this.#parts.database.signals.send({ kind: 'changed', build });
  }

  async #work(guid: Guid, signal: AbortSignal): Promise<'done' | 'again'> {
    const build = this.#claimed.get(guid);
    this.#claimed.delete(guid);
    if (build === undefined) return 'done';
    try {
      return await this.#run(build, signal);
    } finally {
      this.#changed(guid);
    }
  }

  async #run(build: BuildRow, signal: AbortSignal): Promise<'done' | 'again'> {
    const { database, means, clock, metrics, telemetry } = this.#parts;
    const startedAt = clock.now();
    const told = new BuildTelemetry(telemetry, build);
    const count = (outcome: Parameters<Metrics['build']>[0], error?: string): void => {
      metrics.build(outcome, clock.now() - startedAt, error);
      told.end(outcome, clock.now() - startedAt, error);
    };
    const log = await BuildLog.open({
      queries: this.#queries,
      build: build.guid,
      app: build.app_guid,
      fence: build.fence,
      rate: build.staging_log_rate_limit_bytes_per_second,
      clock,
      onLines: () => this.#changed(build.guid),
    });
    try {
      if (build.cancel_requested_at !== null) throw cancelledBecause('it was cancelled');
      if (build.attempts > MAX_ATTEMPTS) throw interrupted();
      if (build.attempts > 1) log.line('stderr', 'The worker was lost; staging begins again');
      const droplet = await stageBuild(build, {
        queries: this.#queries,
        means,
        log,
        signal,
        clock,
        metrics,
        told,
      });
      await log.close();
      const isOurs = await patiently(clock, () => writeStaged(database, build, droplet));
      count(isOurs ? 'staged' : 'lost');
      if (!isOurs) await discardLostDroplet({ queries: this.#queries, means }, droplet);
    } catch (error) {
      if (this.#closed && signal.aborted) {
        await log.flush();
        await releaseBuild(this.#queries, build);
        count('given back');
        return 'again';
      }
      if (isDatabaseAway(error)) {
        told.end('lost', clock.now() - startedAt);
        throw error;
      }
      if (!isStagerError(error) && !signal.aborted) this.#parts.report(`build ${build.guid}`, error);
      const cause = asStagerError(signal.aborted ? (signal.reason ?? error) : error);
      const failure = lifecycleFailure(build.lifecycle_type, cause);
      log.line('stderr', `${failure.id} - ${failure.description}`);
      await log.close().catch(() => undefined);
      const isOurs = await patiently(clock, () => writeFailed(database, build, failure));
      count(isOurs ? 'failed' : 'lost', failure.id);
    }
    return 'done';
  }
}

const STOPPED = 'the server is stopping';
