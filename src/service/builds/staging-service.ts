/** The staging side of the service as one object: what routes and jobs ask it for. */
import { hostname } from 'node:os';
import { sql } from 'kysely';
import { systemClock } from '../../words/clock.ts';
import type { Guid } from '../../words/ids.ts';
import type { ReportBug } from '../../words/report-bug.ts';
import { NO_TELEMETRY, type Telemetry } from '../../words/telemetry.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { Database, Queries } from '../state/database.ts';
import { BuildWorker, type WaitingSettings, type WorkerSettings } from './build-worker.ts';
import { seedBuildpacks } from './buildpack-bits.ts';
import { DropletFolders } from './droplet-folders.ts';
import { Followers } from './followers.ts';
import type { StagingMeans } from './means.ts';
import { deleteCaches, deleteDroplet, deletePackage, deleteStagedOf } from './remove.ts';
import { expireStaged } from './retention.ts';
import type { UpkeepTasks } from './upkeep.ts';
import { upkeepTasks } from './upkeep-tasks.ts';
import { UploadSpool } from './upload-spool.ts';

/** Seconds that a build waits for a worker that is large enough, unless somebody says otherwise. */
const PATIENCE_S = 900;

/** Who takes builds in this process. */
export interface StagingWork {
  /** Undefined: nobody. */
  readonly worker: WorkerSettings | undefined;
  readonly waiting?: WaitingSettings;
}

export interface StagingServiceOptions {
  /** Without, one worker that takes all. */
  readonly work?: StagingWork;
  readonly telemetry?: Telemetry;
  /** Where others count as well. */
  readonly metrics?: Metrics;
}

/** See the top of the file. */
export class StagingService {
  readonly means: StagingMeans;
  readonly spool: UploadSpool;
  readonly worker: BuildWorker;
  readonly metrics: Metrics;
  readonly followers = new Followers(systemClock);
  readonly folders: DropletFolders;
  readonly #database: Database;
  readonly #listeners = new Map<Guid, Set<() => void>>();
  #unlisten: (() => void) | undefined;

  constructor(
    database: Database,
    means: StagingMeans,
    report: ReportBug,
    {
      work = innerWorker(means),
      telemetry = NO_TELEMETRY,
      metrics = new Metrics(),
    }: StagingServiceOptions = {},
  ) {
    this.#database = database;
    this.means = means;
    this.metrics = metrics;
    this.spool = new UploadSpool(means.uploads);
    this.folders = new DropletFolders({ queries: database.queries, blobs: () => means.blobs() });
    this.worker = new BuildWorker({
      database,
      means,
      metrics,
      clock: systemClock,
      report,
      telemetry,
      worker: work.worker,
      waiting: work.waiting ?? { patienceS: PATIENCE_S, largest: {} },
      onChange: (build) => this.#changed(build),
    });
  }

  /** Puts in order what an earlier process left, before its jobs are taken up again. */
  async repair(): Promise<void> {
    const { queries } = this.#database;
    const left = await queries
      .selectFrom('jobs')
      .select('input')
      .where('state', 'in', ['PROCESSING', 'POLLING'])
      .execute();
    const needed = left.flatMap(({ input }) => [String(input['guid']), String(input['file'])]);
    await this.spool.sweep(new Set(needed));
    await this.#giveBack('packages', needed);
    await this.#giveBack('droplets', needed);
    const local = await this.means.buildpacks(new AbortController().signal);
    await seedBuildpacks(queries, await local.registry.list());
  }

  /** Uploads that were cut off before they were acknowledged may be sent again. */
  async #giveBack(table: 'packages' | 'droplets', taken: readonly string[]): Promise<void> {
    // With a server, another process may be in the middle of one.
    const age = this.#database.kind === 'embedded' ? 0 : 3600;
    await sql`update ${sql.table(table)} set state = 'AWAITING_UPLOAD'
      where state = 'PROCESSING_UPLOAD' and guid <> all(${[...taken]}::text[])
      and updated_at <= now() - ${age} * interval '1 second'`.execute(this.#database.queries);
  }

  /** Begins to stage. */
  async start(): Promise<void> {
    this.#unlisten = this.#database.signals.listen((signal) => {
      if (signal.kind === 'changed') this.#changed(signal.build);
    });
    await this.worker.start();
  }

  /** Takes nothing more; see the worker. */
  async drain(graceMs: number): Promise<void> {
    await this.worker.drain(graceMs);
    this.#unlisten?.();
  }

  async close(): Promise<void> {
    this.#unlisten?.();
    await this.worker.close();
  }

  #changed(build: Guid): void {
    for (const listener of this.#listeners.get(build) ?? []) listener();
  }

  /** What is to be done now and then. */
  upkeep(): UpkeepTasks {
    const { queries } = this.#database;
    return upkeepTasks({ queries, means: this.means });
  }

  /** Lets go what an app, or any app, need not keep. */
  async expire(app?: Guid, signal: AbortSignal = new AbortController().signal): Promise<void> {
    await expireStaged(this.means.retention, await this.parts(signal), app);
  }

  /** Calls `listener` when there may be something new of a build. @returns how to stop that. */
  watch(build: Guid, listener: () => void): () => void {
    const listeners = this.#listeners.get(build) ?? new Set();
    this.#listeners.set(build, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(build);
    };
  }

  /** Ends the builds of an app and removes what was staged for it: to be called before its row goes. */
  async forgetApp(app: Guid, signal: AbortSignal): Promise<void> {
    const running = await this.#database.queries
      .selectFrom('builds')
      .select('guid')
      .where('app_guid', '=', app)
      .where('state', '=', 'STAGING')
      .execute();
    for (const { guid } of running) await this.worker.cancel(guid, 'the app was deleted');
    await deleteStagedOf(app, await this.parts(signal));
  }

  async deletePackage(guid: Guid, signal: AbortSignal): Promise<void> {
    await deletePackage(guid, await this.parts(signal));
  }

  async deleteDroplet(guid: Guid, signal: AbortSignal): Promise<void> {
    await deleteDroplet(guid, await this.parts(signal));
  }

  async clearCaches(app: Guid | undefined, signal: AbortSignal): Promise<void> {
    await deleteCaches(app, await this.parts(signal));
  }

  /** What the functions of this folder take. */
  async parts(signal: AbortSignal) {
    const queries: Queries = this.#database.queries;
    return { queries, blobs: await this.means.blobs(), spool: this.spool, signal };
  }
}

/** One beside the server, as large as the machine. */
function innerWorker({ defaults }: StagingMeans): StagingWork {
  return { worker: { name: hostname(), version: '', capacity: { slots: defaults.workers } } };
}
