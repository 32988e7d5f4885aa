/** `stager worker`: a process that runs builds and serves no requests. */
import type { ReportBug } from '../../words/report-bug.ts';
import type { Telemetry } from '../../words/telemetry.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Database } from '../state/database.ts';
import type { WorkerSettings } from './build-worker.ts';
import type { StagingMeans } from './means.ts';
import { StagingService } from './staging-service.ts';

export interface RunWorkerParts {
  readonly database: Database;
  readonly means: StagingMeans;
  readonly report: ReportBug;
  readonly worker: WorkerSettings;
  readonly telemetry?: Telemetry;
  readonly metrics?: Metrics;
  /** Milliseconds that running builds may go on after the signal. */
  readonly graceMs: number;
  readonly signal: AbortSignal;
  /** Called once it takes builds. */
  readonly ready: () => void;
}

/** Runs until the signal, and then until its builds are over or given back. */
export async function runWorker(parts: RunWorkerParts): Promise<void> {
  const { database, means, report, worker, graceMs, signal, ready } = parts;
  const staging = new StagingService(database, means, report, {
    work: { worker },
    ...(parts.telemetry !== undefined && { telemetry: parts.telemetry }),
    ...(parts.metrics !== undefined && { metrics: parts.metrics }),
  });
  await staging.start();
  ready();
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  await staging.drain(graceMs);
}
