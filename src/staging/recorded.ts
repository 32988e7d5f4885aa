/** The frame of every staging, whatever its lifecycle: events, the lease on blobs, the record, and failures. */
import { dirname } from 'node:path';
import { placed } from '../machine/host/full-disk.ts';
import { errorReport } from '../words/error-report.ts';
import { cancelled, type StagerError, throwIfCancelled } from '../words/errors.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { smoke } from './smoke.ts';
import { leased } from './steps/app.ts';
import { discardDroplet, dropReplaced } from './steps/droplet.ts';
import type { Staging } from './steps/staging.ts';
import { outOfWorkspace } from './workspace/full.ts';

/**
 * Runs one staging and keeps its record, last. A droplet without a record is removed.
 *
 * @throws StagerError of any code; `staging-ended` was emitted before with the same failure.
 */
export async function recorded(
  staging: Staging,
  run: (staging: Staging) => Promise<StagingRecord>,
): Promise<StagingRecord> {
  const { request, ports, signal } = staging;
  staging.report({ type: 'staging-started', ...staging.names() });
  for (const note of request.notes ?? []) staging.warn('request', note);
  try {
    throwIfCancelled(signal);
    const record = await leased(staging, async () => {
      try {
        const droplet = await run(staging);
        const made = request.smoke === true ? await smoke(staging, droplet) : droplet;
        await ports.records.save(made);
        await dropReplaced(staging);
        return made;
      } catch (error) {
        await discardDroplet(staging);
        throw error;
      }
    });
    staging.report({ type: 'staging-ended', outcome: 'staged', record });
    return record;
  } catch (thrown) {
    // What fails because everything is being torn down says nothing; that it was cancelled does.
    const error = signal.aborted ? cancelled(signal) : told(thrown, staging);
    const outcome = error.code === 'CANCELLED' ? 'cancelled' : 'failed';
    const result = staging.failedResult;
    staging.report({ type: 'staging-ended', outcome, error: errorReport(error), ...(result && { result }) });
    throw error;
  }
}

/** A full disk is reported with its place, or that it is the workspace's own. */
function told(thrown: unknown, { ports, request, filledWorkspace }: Staging): StagerError {
  const error = placed(thrown, dirname(ports.workspaces));
  if (error.code === 'HOST_DISK_FULL' && filledWorkspace) return outOfWorkspace(error, request.diskMb);
  return error;
}
