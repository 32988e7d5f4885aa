/** One command in its container, from the start to the report. */
import type { ChildProcess } from 'node:child_process';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { StagerError } from '../../../words/errors.ts';
import { pause } from '../../../words/retry.ts';
import { Deadlines, isJoined, startJoined, startPiped } from '../child/child.ts';
import { Flow } from '../child/flow.ts';
import { type Container, withinLimits } from '../child/within-limits.ts';
import { cgroupDirectories, isHeld, type MemoryUse, memoryUse, removeCgroups } from '../kernel/cgroups.ts';
import { type ChildEnd, endOf } from '../kernel/child-end.ts';
import {
  childrenOf,
  heldOpenBytes,
  namespacePids,
  pidsNaming,
  readOrNothing,
  send,
} from '../kernel/processes.ts';
import { countsOf } from '../kernel/user-scope.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput } from '../port/sandbox.ts';
import { COUNTS, GUARD_LOG, type OciRunParts, runtimeCommand } from './command.ts';
import { containerInit, isContained, mapIds } from './guard.ts';
import { deleteArguments, forgetContainer, loggedErrors } from './runtime.ts';

/** A container that has been killed ends at once; one that has not after this is killed through the runtime. */
const KILL_PATIENCE_MS = 1_000;
const START_POLL_MS = 10;

/** One command in one container; used once. */
export class OciRun implements Container {
  readonly watched: Container['watched'];
  readonly #parts: OciRunParts;
  /** When a container that was killed is killed again. */
  readonly #patience = new Deadlines();
  #child: ChildProcess | undefined;
  #flow: Flow | undefined;
  #ended = false;

  constructor(parts: OciRunParts) {
    this.#parts = parts;
    // Where no cgroup holds the memory.
    if (!isHeld(parts.cgroups, 'memory')) this.watched = () => this.#pids();
  }

  /** Runs to the end. Whatever happens, nothing of the container is left afterwards. */
  async finish(io: { readonly signal: AbortSignal; readonly onOutput: OnOutput }): Promise<ExitReport> {
    return await withinLimits(this, this.#parts, io);
  }

  /** Here the process starts. */
  async start({ onOutput, isStopped }: Parameters<Container['start']>[0]): Promise<number> {
    try {
      const status = await this.#run(onOutput, isStopped);
      if (!isStopped()) await this.#checkStarted();
      return status;
    } finally {
      this.#ended = true;
    }
  }

  /**
   * Sends a signal to the command itself, the first child of the container's first process; waits for it when the
   * container is only being made.
   */
  async signal(signal: NodeJS.Signals): Promise<boolean> {
    while (!this.#ended) {
      const init = await this.#init();
      const [command] = init === undefined ? [] : await childrenOf(init);
      if (command !== undefined) return send(command, signal);
      await pause(START_POLL_MS);
    }
    return false;
  }

  /**
   * The command's network namespace, held open: a pid could be another process's by the time it is joined.
   * Undefined while there is none. The caller closes it.
   */
  async network(): Promise<FileHandle | undefined> {
    const init = await this.#init();
    if (init === undefined) return undefined;
    const handle = await open(`/proc/${init}/ns/net`).catch(() => undefined);
    if (handle !== undefined && (await this.#init()) === init) return handle;
    await handle?.close();
    return undefined;
  }

  /** Starts the runtime; resolves with the exit status when it and all its output have ended. */
  async #run(onOutput: OnOutput, isStopped: () => boolean): Promise<number> {
    const { spec, ids } = this.#parts;
    const command = runtimeCommand(this.#parts);
    if (isJoined(spec)) {
      const child = startJoined(command);
      this.#child = child;
      const [end] = await Promise.all([endOf(child), this.#giveIds(child, isStopped)]);
      return statusOf(end);
    }
    const pipes = await this.#parts.pipes.take(ids.owner);
    const flow = new Flow(onOutput);
    this.#flow = flow;
    const { child, drained, ended } = startPiped(command, pipes, flow);
    this.#child = child;
    if (isStopped()) void this.kill();
    const [end] = await Promise.all([ended, drained, this.#giveIds(child, isStopped)]);
    return statusOf(end);
  }

  async #giveIds(child: ChildProcess, isStopped: () => boolean): Promise<void> {
    const { around } = this.#parts.ids;
    if (around === undefined) return;
    await mapIds(child, around).catch((error: unknown) => {
      // A process that was ended meanwhile takes no ids.
      if (!isStopped()) throw error;
    });
  }

  async memoryUse(): Promise<MemoryUse> {
    const { cgroups, files } = this.#parts;
    if (cgroups.scope !== undefined) return await countsOf(join(files.bundle, COUNTS));
    return await memoryUse(cgroups, files.id);
  }

  /** The pid file is written when the container's process runs; without it the runtime has failed. */
  async #checkStarted(): Promise<void> {
    const { files, runtime } = this.#parts;
    if ((await stat(files.pidFile).catch(() => undefined)) !== undefined) return;
    const guardSaid = (await readOrNothing(join(files.bundle, GUARD_LOG)))?.trim();
    const said = [await loggedErrors(files.logFile), guardSaid].filter(Boolean).join('; ');
    throw new StagerError(
      'SANDBOX_FAILED',
      `${runtime.name} ${runtime.version} could not start a container: ${said || 'it gave no reason'}`,
      { next: 'Run `stager doctor` to see what this machine can do.', details: { runtime: runtime.path } },
    );
  }

  /** SIGTERM to every process but the first, which is ours. */
  async terminate(): Promise<void> {
    const init = await this.#init();
    if (init === undefined) return await this.kill();
    for (const pid of await namespacePids(init)) if (pid !== init) send(pid, 'SIGTERM');
  }

  /** The first process takes all others of its namespace with it. */
  async kill(): Promise<void> {
    this.#flow?.hurry();
    const child = this.#child;
    if (child === undefined) return;
    const init = await this.#init();
    const sent = init !== undefined && send(init, 'SIGKILL');
    if (sent) this.#patience.after(KILL_PATIENCE_MS, () => void this.#killRuntime(child));
    else await this.#killRuntime(child);
    if (this.#parts.guard !== undefined)
      this.#patience.after(KILL_PATIENCE_MS, () => void this.#killUntied(child));
  }

  /**
   * A guard that was killed between the start of its first process and the moment in which that was tied to it leaves
   * it alive. The command lines of all that it starts name the container. Again and again, since it may be starting still.
   */
  async #killUntied(child: ChildProcess): Promise<void> {
    child.kill('SIGKILL');
    for (const pid of await pidsNaming(this.#parts.files.id)) send(pid, 'SIGKILL');
    if (!this.#ended) this.#patience.after(KILL_PATIENCE_MS, () => void this.#killUntied(child));
  }

  async #killRuntime(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // The first process in a guard: then the guard itself ends when all that were in it have.
    const [first] = this.#parts.guard === undefined ? [] : await childrenOf(child.pid ?? 0);
    if (first !== undefined) send(first, 'SIGKILL');
    else child.kill('SIGKILL');
    if (this.#parts.guard === undefined) await this.#delete();
  }

  /** Host pid of the container's first process while it runs. */
  async #init(): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return undefined;
    const told = Number((await readOrNothing(this.#parts.files.pidFile)) ?? Number.NaN);
    if (!Number.isInteger(told) || told <= 1 || child.pid === undefined) return undefined;
    const pid = this.#parts.guard === undefined ? told : await containerInit(child.pid, told);
    return pid !== undefined && (await isContained(pid)) ? pid : undefined;
  }

  async #pids(): Promise<readonly number[]> {
    const init = await this.#init();
    return init === undefined ? [] : await namespacePids(init);
  }

  async heldOpen(): Promise<number> {
    const pids = await this.#pids();
    if (pids.length === 0) return 0;
    const { dev } = await stat(this.#parts.spec.diskRoot);
    return await heldOpenBytes(pids, dev);
  }

  async remove(): Promise<void> {
    this.#ended = true;
    this.#patience.clear();
    const { cgroups, files, guard, stateRoot } = this.#parts;
    // No process is left in a guard.
    if (guard === undefined) await this.#delete();
    else await forgetContainer(stateRoot, files.id);
    await removeCgroups(cgroupDirectories(cgroups, files.id));
  }

  async #delete(): Promise<void> {
    const { runtime, stateRoot, files } = this.#parts;
    await execa(runtime.path, deleteArguments(stateRoot, files), { reject: false, stdin: 'ignore', env: {} });
  }
}

/** The runtime passes the command's status on; by a signal (SIGKILL) only the runtime itself ends. */
const statusOf = ({ code }: ChildEnd): number => code ?? 137;
