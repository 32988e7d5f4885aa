/** One command among the machine's own processes, from the start to the report; a {@link Tether} finds and ends them. */
import type { ChildProcess } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { constants } from 'node:os';
import { pause } from '../../../words/retry.ts';
import type { Owner } from '../../host/owner.ts';
import type { MemoryUse } from '../kernel/cgroups.ts';
import { type ChildEnd, endOf } from '../kernel/child-end.ts';
import type { DiskLedger } from '../kernel/disk-watch.ts';
import { fileSizeLimit } from '../kernel/grants.ts';
import { heldOpenBytes, send } from '../kernel/processes.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, SandboxSpec } from '../port/sandbox.ts';
import { type ChildCommand, isJoined, startJoined, startPiped } from './child.ts';
import { Flow } from './flow.ts';
import { InsideView } from './inside-view.ts';
import type { outputPipes } from './pipes.ts';
import { whyNotStartable } from './startable.ts';
import { type Container, notStarted, withinLimits } from './within-limits.ts';

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
export class HostRun implements Container {
  readonly watched: Container['watched'];
  readonly #parts: HostRunParts;
  #child: ChildProcess | undefined;
  #flow: Flow | undefined;

  constructor(parts: HostRunParts) {
    this.#parts = parts;
    if (parts.watchesMemory) this.watched = () => parts.tether.members();
  }

  /** Runs to the end and kills what was left. */
  async finish(io: { readonly signal: AbortSignal; readonly onOutput: OnOutput }): Promise<ExitReport> {
    const { spec, ledger } = this.#parts;
    const begun = performance.now();
    const reason = await this.#whyNot();
    if (reason !== undefined) return notStarted(reason, begun);
    return await withinLimits(this, { spec, ledger, fileBytes: await fileSizeLimit() }, io);
  }

  /** Sends a signal to the command itself. */
  signal(signal: NodeJS.Signals): boolean {
    const pid = this.#child?.pid;
    return pid !== undefined && this.#child?.exitCode === null && send(pid, signal);
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

  /** Here the process starts. */
  async start({ onOutput, isStopped }: Parameters<Container['start']>[0]): Promise<number | string> {
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
    if (isStopped()) await this.#killAll();
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

  async memoryUse(): Promise<MemoryUse> {
    return { oomKills: 0 };
  }

  async heldOpen(): Promise<number> {
    const { dev } = await stat(this.#parts.spec.diskRoot);
    return await heldOpenBytes(await this.#parts.tether.members(), dev);
  }

  async terminate(): Promise<void> {
    await this.#sendAll('SIGTERM');
  }

  async remove(): Promise<void> {
    await this.#killAll();
  }

  async kill(): Promise<void> {
    this.#flow?.hurry();
    await this.#killAll();
  }

  /** Until nobody is found twice in a row: while a process is being made or begins a program, it may not be seen. */
  async #killAll(): Promise<void> {
    await this.#parts.tether.endAll?.();
    for (let quiet = 0, round = 0; quiet < QUIET_ROUNDS && round < MAX_ROUNDS; round += 1) {
      quiet = (await this.#sendAll('SIGKILL')) === 0 ? quiet + 1 : 0;
      await pause(ROUND_MS);
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

const QUIET_ROUNDS = 2;
const ROUND_MS = 5;
/** A process that the kernel holds on to does not die; it is not waited for. */
const MAX_ROUNDS = 400;
const SIGNAL_BASE = 128;

/** As a shell tells it. */
function statusOf({ code, signal }: ChildEnd): number {
  return code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]);
}
