/** One command among the machine's own processes, from the start to the report; a {@link Tether} finds and ends them. */
import type { ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Owner } from '../../host/owner.ts';
import { type DiskLedger, DiskWatch } from '../kernel/disk-watch.ts';
import { fileSizeLimit } from '../kernel/grants.ts';
import { MemoryWatch } from '../kernel/memory-watch.ts';
import { heldOpenBytes, send } from '../kernel/processes.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, SandboxSpec } from '../port/sandbox.ts';
import {
  type ChildCommand,
  type ChildEnd,
  Deadlines,
  endOf,
  isJoined,
  startJoined,
  startPiped,
} from './child.ts';
import { Flow } from './flow.ts';
import { InsideView } from './inside-view.ts';
import { endsAnyhow, type KillReason, outcomeOf } from './outcome.ts';
import type { outputPipes } from './pipes.ts';
import { whyNotStartable } from './startable.ts';

/** What holds the processes of one command together, since no namespace does. */
export interface Tether {
  /** The program that is started. */
  readonly command: ChildCommand;
  /** Every process of the command that lives. */
  members(): Promise<readonly number[]>;
  /** Ends all of them at once, where there is a way; what it leaves is ended one by one. */
  endAll?(): Promise<void>;
  /** Called with the child that was started: settles with what kept it from becoming the command. */
  whyNotBegun?(child: ChildProcess): Promise<string | undefined>;
}

/** What a run is made of; the spec has paths of the host. */
export interface HostRunParts {
  readonly spec: SandboxSpec;
  readonly ledger: DiskLedger;
  readonly tether: Tether;
  /** Whom the command runs as. */
  readonly owner: Owner;
  /** Makes a private directory for a moment and removes it. */
  readonly pipes: () => ReturnType<typeof outputPipes>;
  /** Whether memory is watched. */
  readonly watchesMemory: boolean;
}

/** Used once. */
export class HostRun {
  readonly #parts: HostRunParts;
  readonly #deadlines = new Deadlines();
  #child: ChildProcess | undefined;
  #flow: Flow | undefined;
  #stopped: KillReason | undefined;

  constructor(parts: HostRunParts) {
    this.#parts = parts;
  }

  /** Runs to the end and kills what was left. */
  async finish(io: { readonly signal: AbortSignal; readonly onOutput: OnOutput }): Promise<ExitReport> {
    const { spec } = this.#parts;
    const begun = performance.now();
    const reason = await this.#whyNot();
    if (reason !== undefined) return notStarted(reason, begun);
    const { watch, memory } = this.#watches();
    const cancel = (): void => this.#stop('cancelled', spec.graceMs ?? 0);
    io.signal.addEventListener('abort', cancel, { once: true });
    try {
      const ended = this.#start(io.onOutput);
      this.#deadlines.after(spec.limits.wallMs, () => this.#stop('timed-out', spec.graceMs ?? 0));
      watch.start();
      memory?.start();
      if (io.signal.aborted) cancel();
      const end = await ended;
      if (typeof end === 'string') return notStarted(end, begun);
      return await this.#report(end, performance.now() - begun, { watch, memory });
    } finally {
      io.signal.removeEventListener('abort', cancel);
      this.#deadlines.clear();
      memory?.stop();
      await watch.stop().catch(() => undefined);
      await this.#killAll();
    }
  }

  /** Sends a signal to the command itself. */
  signal(signal: NodeJS.Signals): boolean {
    const pid = this.#child?.pid;
    return pid !== undefined && this.#child?.exitCode === null && send(pid, signal);
  }

  #watches(): { readonly watch: DiskWatch; readonly memory: MemoryWatch | undefined } {
    const { spec, ledger, tether, watchesMemory } = this.#parts;
    const watch = new DiskWatch({
      root: spec.diskRoot,
      limitBytes: spec.limits.diskBytes,
      limitFiles: spec.limits.files,
      ledger,
      heldOpen: async () => {
        const { dev } = await stat(spec.diskRoot);
        return await heldOpenBytes(await tether.members(), dev);
      },
      onOverrun: () => this.#stop('out-of-disk', 0),
    });
    if (!watchesMemory) return { watch, memory: undefined };
    const memory = new MemoryWatch({
      limitBytes: spec.limits.memoryBytes,
      pids: () => tether.members(),
      onOverrun: () => this.#stop('out-of-memory', 0),
    });
    return { watch, memory };
  }

  async #whyNot(): Promise<string | undefined> {
    const { spec, owner } = this.#parts;
    const view = new InsideView('/', []);
    const cwd = await view.resolve(spec.cwd);
    if ('missing' in cwd || !cwd.stats.isDirectory()) {
      return `${spec.cwd}: no such directory (working directory)`;
    }
    return await whyNotStartable(spec.argv[0], view, owner);
  }

  /** The status, or why it never began. */
  async #start(onOutput: OnOutput): Promise<number | string> {
    const { tether, spec } = this.#parts;
    if (isJoined(spec)) {
      const child = startJoined(tether.command);
      this.#child = child;
      const [end, why] = await Promise.all([endOf(child), tether.whyNotBegun?.(child)]);
      return why ?? statusOf(end);
    }
    const pipes = await this.#parts.pipes();
    const flow = new Flow(onOutput);
    this.#flow = flow;
    const { child, drained, ended } = startPiped(tether.command, pipes, flow);
    this.#child = child;
    const begun = tether.whyNotBegun?.(child);
    if (this.#stopped !== undefined) await this.#killAll();
    const status = statusOf(await ended);
    // A daemon that holds the pipe open would keep us waiting forever.
    let open = true;
    const closed = drained.finally(() => {
      open = false;
    });
    for (let attempt = 0; open && attempt < MAX_ROUNDS; attempt += 1) {
      await this.#killAll();
      // Then it is not a daemon that keeps it open, but a slow reader.
      if (flow.held) attempt = 0;
    }
    if (open) for (const { reader } of [pipes.stdout, pipes.stderr]) reader.destroy();
    await closed;
    return (await begun) ?? status;
  }

  async #report(
    status: number,
    durationMs: number,
    { watch, memory }: { readonly watch: DiskWatch; readonly memory: MemoryWatch | undefined },
  ): Promise<ExitReport> {
    const { spec, ledger } = this.#parts;
    const { peakBytes, overrun } = await watch.stop({ giveUp: endsAnyhow(this.#stopped) });
    const outcome = outcomeOf({
      status,
      stopped: this.#stopped,
      limits: spec.limits,
      memory: { oomKills: 0 },
      overrun,
      disk: ledger.get(spec.diskRoot)?.usage,
      fileBytes: await fileSizeLimit(),
    });
    const peakMemory = memory?.peakBytes ?? 0;
    return {
      outcome,
      durationMs,
      peakDiskBytes: peakBytes,
      ...(peakMemory > 0 && { peakMemoryBytes: peakMemory }),
    };
  }

  #stop(reason: KillReason, graceMs: number): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    if (graceMs <= 0) return void this.#kill();
    void this.#sendAll('SIGTERM');
    this.#deadlines.after(graceMs, () => void this.#kill());
  }

  async #kill(): Promise<void> {
    this.#flow?.hurry();
    await this.#killAll();
  }

  /** Until nobody is found twice in a row: while a process is being made or begins a program, it may not be seen. */
  async #killAll(): Promise<void> {
    await this.#parts.tether.endAll?.();
    for (let quiet = 0, round = 0; quiet < QUIET_ROUNDS && round < MAX_ROUNDS; round += 1) {
      quiet = (await this.#sendAll('SIGKILL')) === 0 ? quiet + 1 : 0;
      await setTimeout(ROUND_MS);
    }
  }

  async #sendAll(signal: NodeJS.Signals): Promise<number> {
    const group = this.#child?.pid;
    if (group !== undefined && !isJoined(this.#parts.spec)) send(-group, signal);
    const pids = await this.#parts.tether.members();
    for (const pid of pids) send(pid, signal);
    return pids.length;
  }
}

function notStarted(reason: string, begun: number): ExitReport {
  return { outcome: { kind: 'not-started', reason }, durationMs: performance.now() - begun };
}

const QUIET_ROUNDS = 2;
const ROUND_MS = 5;
/** A process that the kernel holds on to does not die; it is not waited for. */
const MAX_ROUNDS = 400;
const SIGNAL_BASE = 128;

/** As a shell tells it. */
function statusOf({ code, signal }: ChildEnd): number {
  return code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]);
}
