/** The tasks of upkeep.ts that concern builds and what they leave behind. */
import { forgetDeadWorkers } from '../queue/workers.ts';
import type { Queries } from '../state/database.ts';
import { collectDroplets } from './collect-droplets.ts';
import { forgetOldLogs } from './log-store.ts';
import type { StagingMeans } from './means.ts';
import { expireStaged } from './retention.ts';
import type { UpkeepTasks } from './upkeep.ts';

/** Milliseconds. A droplet without a row is nobody's after this time: no staging takes so long. */
const ORPHAN_MS = 86_400_000;
/** Milliseconds that a task which reads the blobstore may take. */
const COLLECT_MS = 1_800_000;

export function upkeepTasks({
  queries,
  means,
}: {
  readonly queries: Queries;
  readonly means: Pick<StagingMeans, 'blobs' | 'retention'>;
}): UpkeepTasks {
  const parts = async () => ({
    queries,
    blobs: await means.blobs(),
    signal: AbortSignal.timeout(COLLECT_MS),
  });
  return {
    workers: async () => ({ forgotten: await forgetDeadWorkers(queries) }),
    logs: async () => ({ deleted: await forgetOldLogs(queries, means.retention.logMs) }),
    retention: async () => await expireStaged(means.retention, await parts()),
    gc: async () => ({ deleted: await collectDroplets({ ...(await parts()), minAgeMs: ORPHAN_MS }) }),
  };
}
