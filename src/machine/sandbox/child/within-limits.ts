/**
 * One command from the start to the report, within its limits: deadline, cancelling, disk and memory are watched here,
 * once for every sandbox. How a command is started and ended is up to what contains it.
 */
import type { MemoryUse } from '../kernel/cgroups.ts';
import { type Backing, type DiskLedger, DiskWatch } from '../kernel/disk-watch.ts';
import { MemoryWatch } from '../kernel/memory-watch.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, SandboxSpec } from '../port/sandbox.ts';
import { Deadlines } from './child.ts';
import { endsAnyhow, type KillReason, outcomeOf } from './outcome.ts';

/** What holds the processes of one command together. */
export interface Container {
  /**
   * Starts the command. Settles when it and all its output have ended: with the exit status as a shell tells it, or with
   * the reason why it never began.
   *
   * @param isStopped whether it is to be ended already, which may happen before there is a process to end.
   */
  start(io: { readonly onOutput: OnOutput; readonly isStopped: () => boolean }): Promise<number | string>;
  /** Asks all of its processes to end. */
  terminate(): Promise<unknown>;
  /** Ends all of its processes at once. */
  kill(): Promise<unknown>;
  /** Bytes of files under the disk root that only open descriptors still hold. */
  heldOpen(): Promise<number>;
  /** Processes whose memory is to be watched; absent: something else limits it, or nothing does. */
  readonly watched?: (() => Promise<readonly number[]>) | undefined;
  /** What the kernel counted. */
  memoryUse(): Promise<MemoryUse>;
  /** Nothing of it is left afterwards. */
  remove(): Promise<void>;
}

/** What the command is held to. */
export interface Limited {
  readonly spec: SandboxSpec;
  readonly ledger: DiskLedger;
  /** What is behind the volume that the disk root is in. */
  readonly backing?: Backing | undefined;
  /** Bytes of one file that stager itself may write. */
  readonly fileBytes: number;
}

/** Runs the command to its end. Whatever happens, the container is removed. */
export async function withinLimits(
  container: Container,
  limited: Limited,
  io: { readonly signal: AbortSignal; readonly onOutput: OnOutput },
): Promise<ExitReport> {
  const { wallMs } = limited.spec.limits;
  const { graceMs = 0 } = limited.spec;
  const begun = performance.now();
  const stop = new Stop(container);
  const { disk, memory } = watches(container, limited, stop);
  const cancel = (): void => stop.now('cancelled', graceMs);
  io.signal.addEventListener('abort', cancel, { once: true });
  try {
    const isStopped = (): boolean => stop.reason !== undefined;
    const ended = container.start({ onOutput: io.onOutput, isStopped });
    stop.deadlines.after(wallMs, () => stop.now('timed-out', graceMs));
    disk.start();
    memory?.start();
    if (io.signal.aborted) cancel();
    const status = await ended;
    const durationMs = performance.now() - begun;
    if (typeof status === 'string') return notStarted(status, begun);
    const use = await container.memoryUse();
    const { peakBytes, overrun } = await disk.stop({ giveUp: endsAnyhow(stop.reason) });
    const outcome = outcomeOf({
      status,
      stopped: stop.reason,
      limits: limited.spec.limits,
      memory: use,
      overrun,
      disk: limited.ledger.get(limited.spec.diskRoot)?.usage,
      fileBytes: limited.fileBytes,
    });
    const peakMemory = use.peakBytes ?? memory?.peakBytes ?? 0;
    return {
      outcome,
      durationMs,
      peakDiskBytes: peakBytes,
      ...(peakMemory > 0 && { peakMemoryBytes: peakMemory }),
    };
  } finally {
    io.signal.removeEventListener('abort', cancel);
    stop.deadlines.clear();
    memory?.stop();
    await disk.stop().catch(() => undefined);
    await container.remove();
  }
}

/** The report on a command that never began. */
export function notStarted(reason: string, begun: number): ExitReport {
  return { outcome: { kind: 'not-started', reason }, durationMs: performance.now() - begun };
}

/** Ends the command, for the first reason that there is. */
class Stop {
  readonly deadlines = new Deadlines();
  readonly #container: Container;
  #reason: KillReason | undefined;

  constructor(container: Container) {
    this.#container = container;
  }

  get reason(): KillReason | undefined {
    return this.#reason;
  }

  now(reason: KillReason, graceMs: number): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    if (graceMs <= 0) return void this.#container.kill();
    void this.#container.terminate();
    this.deadlines.after(graceMs, () => void this.#container.kill());
  }
}

function watches(
  container: Container,
  { spec, ledger, backing }: Limited,
  stop: Stop,
): { readonly disk: DiskWatch; readonly memory: MemoryWatch | undefined } {
  const disk = new DiskWatch({
    root: spec.diskRoot,
    limitBytes: spec.limits.diskBytes,
    limitFiles: spec.limits.files,
    ledger,
    backing,
    heldOpen: () => container.heldOpen(),
    onOverrun: () => stop.now('out-of-disk', 0),
  });
  const { watched } = container;
  if (watched === undefined) return { disk, memory: undefined };
  const memory = new MemoryWatch({
    limitBytes: spec.limits.memoryBytes,
    pids: watched,
    onOverrun: () => stop.now('out-of-memory', 0),
  });
  return { disk, memory };
}
