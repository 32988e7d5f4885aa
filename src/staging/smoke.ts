/** `--smoke`: a droplet counts as staged only when its web process passes its health check here. */
import { StagerError } from '../words/errors.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { formatDuration } from '../words/units.ts';
import type { RunEvent } from './launch/events.ts';
import type { RunResult } from './launch/supervise.ts';
import { run } from './run-droplet.ts';
import type { Staging } from './steps/staging.ts';

const PHASE = { name: 'smoke' } as const;
const LOOK =
  'Fix what the lines report; to see all of them, use stager stage without --smoke, then stager run.';

/**
 * Starts the web process, waits for its first passed check and stops it. An app whose processes are all of other types
 * has nothing to check.
 *
 * @throws StagerError HEALTH_CHECK_FAILED with the last lines of the process, NO_START_COMMAND, and what a run can.
 */
export async function smoke(staging: Staging, record: StagingRecord): Promise<StagingRecord> {
  const types = Object.keys({ ...record.result.process_types, ...record.launch?.commands });
  if (types.length > 0 && !types.includes('web')) {
    staging.phases.skip(PHASE, `no web process to check: it has ${types.join(', ')}`);
  } else {
    await staging.phases.run(
      PHASE,
      () => untilHealthy(staging, record),
      (afterMs) => `web was healthy after ${formatDuration(afterMs)}`,
    );
  }
  // The phase above belongs to it as well.
  const { phases, durationMs } = staging.facts();
  return { ...record, phases, durationMs };
}

async function untilHealthy(staging: Staging, record: StagingRecord): Promise<number> {
  const { request, ports, signal } = staging;
  const { env, services, network } = request;
  const emit = (event: RunEvent): void => {
    if (event.type === 'warning') staging.warn(event.code, event.message);
  };
  const started = await run(
    {
      record,
      target: { kind: 'process' },
      env,
      services,
      network,
      memoryMb: request.memoryMb,
      diskMb: request.diskMb,
      usual: { memory: true, disk: true },
    },
    { ...ports, openStore: async () => ports.blobs },
    { signal, emit },
  );
  const readiness = await started.ready;
  if (readiness.kind === 'ended') throw failed(await started.done);
  await started.stop();
  return readiness.afterMs;
}

/** With the last lines of the command that ended it: what a person needs to know is there. */
function failed({ end, main, sidecars }: RunResult): StagerError {
  const failure = end.kind === 'unhealthy' ? end.failure : undefined;
  const first = sidecars.find(({ source }) => end.kind === 'exited' && source === end.source) ?? main;
  const { source, exitCode, lastLines } = first;
  const what = failure?.message ?? `${source.id} ended with ${exitCode} before the app was healthy`;
  const said =
    lastLines.length === 0 ? '; it wrote nothing' : ['; its last lines:', ...lastLines].join('\n  ');
  return new StagerError('HEALTH_CHECK_FAILED', `${what}${said}`, {
    next: failure?.next ?? LOOK,
    phase: 'smoke',
    details: { exitCode, lastLines },
  });
}
