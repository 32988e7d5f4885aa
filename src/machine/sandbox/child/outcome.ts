/** Decides how a run ended from what it left behind. */
import { constants } from 'node:os';
import type { MemoryUse } from '../kernel/cgroups.ts';
import type { DiskUsage } from '../kernel/disk-usage.ts';
import type { Overrun } from '../kernel/disk-watch.ts';
import type { ExitOutcome } from '../port/exit-report.ts';
import type { SandboxLimits } from '../port/sandbox.ts';

/** Why we ended a run, if we did. */
export type KillReason = 'timed-out' | 'cancelled' | 'out-of-disk' | 'out-of-memory';

/** Nothing that the disk could tell changes how such a run ended. */
export const endsAnyhow = (reason: KillReason | undefined): boolean =>
  reason === 'timed-out' || reason === 'cancelled';

/** Everything that is known when a run has ended. */
export interface Ending {
  /** Exit status as a shell gives it. */
  readonly status: number;
  readonly stopped: KillReason | undefined;
  readonly limits: SandboxLimits;
  readonly memory: MemoryUse;
  readonly overrun: Overrun | undefined;
  readonly disk: DiskUsage | undefined;
  /** Bytes of one file that stager itself may write, and so what it runs; Infinity where there is no limit. */
  readonly fileBytes: number;
}

const SIGNAL_BASE = 128;

/**
 * A shell and the runtimes give a death by signal as 128 + its number, and so do scripts whose last command died
 * of one; both are called `signalled`, and 128 + number leads back to the status.
 */
export function outcomeOf(ending: Ending): ExitOutcome {
  const { status, stopped, limits, overrun, memory } = ending;
  if (stopped === 'cancelled') return { kind: 'cancelled' };
  if (overrun !== undefined) return overrunOf(limits, overrun);
  if (stopped === 'out-of-memory') return { kind: 'out-of-memory', limitBytes: limits.memoryBytes };
  if (stopped === 'timed-out') return { kind: 'timed-out', limitMs: limits.wallMs };
  // A child that was killed and coped with is not the end of the script.
  if (memory.oomKills > 0 && status !== 0) return { kind: 'out-of-memory', limitBytes: limits.memoryBytes };
  const signal = signalOf(status);
  if (signal === 'SIGXFSZ' && ending.fileBytes < limits.diskBytes)
    return { kind: 'file-too-large', limitBytes: ending.fileBytes };
  if (signal === 'SIGXFSZ')
    return outOfDisk(limits, ending.disk ?? { totalBytes: limits.diskBytes, largest: [] });
  if (signal !== undefined) return { kind: 'signalled', signal };
  return { kind: 'exited', code: status };
}

function overrunOf(limits: SandboxLimits, overrun: Overrun): ExitOutcome {
  if (overrun.kind === 'bytes') return outOfDisk(limits, overrun.usage);
  if (overrun.kind === 'reserve') return { kind: 'host-disk-full', reserveBytes: overrun.bytes };
  const { total: files, fullest } = overrun.count;
  return { kind: 'too-many-files', limitFiles: overrun.limit, files, fullest };
}

function outOfDisk(limits: SandboxLimits, usage: DiskUsage): ExitOutcome {
  return {
    kind: 'out-of-disk',
    limitBytes: limits.diskBytes,
    usedBytes: usage.totalBytes,
    largest: usage.largest,
  };
}

/** Name of the signal that a shell's exit status stands for. */
function signalOf(status: number): string | undefined {
  if (status <= SIGNAL_BASE) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === status - SIGNAL_BASE)?.[0];
}
