/** One command on the host, from the start to the report. */
import type { ChildProcess } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type ChildEnd, Deadlines, endOf, isJoined, startJoined, startPiped } from '../child/child.ts';
import { Flow } from '../child/flow.ts';
import { InsideView } from '../child/inside-view.ts';
import { type KillReason, outcomeOf } from '../child/outcome.ts';
import { outputPipes } from '../child/pipes.ts';
import { whyNotStartable } from '../child/program.ts';
import { removeDirectory } from '../child/state-directory.ts';
import { type DiskLedger, DiskWatch } from '../kernel/disk-watch.ts';
import { markedPids, send } from '../kernel/processes.ts';
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput, SandboxSpec } from '../port/sandbox.ts';

/** Set in the environment of everything that the command starts: how its daemons are found again. */
const MARKER = 'STAGER_SANDBOX_RUN';

/** One command without isolation; used once. */
export class NoRun {
  readonly #spec: SandboxSpec;
  readonly #parts: { readonly ledger: DiskLedger; readonly marker: string };
  readonly #deadlines = new Deadlines();
  #child: ChildProcess | undefined;
  #flow: Flow | undefined;
  #stopped: KillReason | undefined;

  /** @param spec with paths of the host. */
  constructor(spec: SandboxSpec, parts: { readonly ledger: DiskLedger; readonly marker: string }) {
    this.#spec = spec;
    this.#parts = parts;
  }

  /** Runs to the end and kills what was left. */
  async finish(io: { readonly signal: AbortSignal; readonly onOutput: OnOutput }): Promise<ExitReport> {
    const spec = this.#spec;
    const begun = performance.now();
    const reason = await this.#whyNot();
    if (reason !== undefined) {
      return { outcome: { kind: 'not-started', reason }, durationMs: performance.now() - begun };
    }
    const watch = new DiskWatch({
      root: spec.diskRoot,
      limitBytes: spec.limits.diskBytes,
      limitFiles: spec.limits.files,
      ledger: this.#parts.ledger,
      heldOpen: async () => 0,
      onOverrun: () => this.#stop('out-of-disk', 0),
    });
    const cancel = (): void => this.#stop('cancelled', spec.graceMs ?? 0);
    io.signal.addEventListener('abort', cancel, { once: true });
    try {
      const ended = this.#start(io.onOutput);
      this.#deadlines.after(spec.limits.wallMs, () => this.#stop('timed-out', spec.graceMs ?? 0));
      watch.start();
      if (io.signal.aborted) cancel();
      const status = await ended;
      const durationMs = performance.now() - begun;
      const { peakBytes, overrun } = await watch.stop();
      const disk = this.#parts.ledger.get(spec.diskRoot)?.usage;
      const ending = {
        status,
        stopped: this.#stopped,
        limits: spec.limits,
        memory: { oomKills: 0 },
        overrun,
        disk,
      };
      return { outcome: outcomeOf(ending), durationMs, peakDiskBytes: peakBytes };
    } finally {
      io.signal.removeEventListener('abort', cancel);
      this.#deadlines.clear();
      await watch.stop().catch(() => undefined);
      await this.#killAll();
    }
  }

  /** Sends a signal to the command itself. */
  signal(signal: NodeJS.Signals): boolean {
    const pid = this.#child?.pid;
    return pid !== undefined && this.#child?.exitCode === null && send(pid, signal);
  }

  async #whyNot(): Promise<string | undefined> {
    const view = new InsideView('/', []);
    const cwd = await view.resolve(this.#spec.cwd);
    if ('missing' in cwd || !cwd.stats.isDirectory()) {
      return `${this.#spec.cwd}: no such directory (working directory)`;
    }
    const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    return await whyNotStartable(this.#spec.argv[0], view, user);
  }

  async #start(onOutput: OnOutput): Promise<number> {
    const [program, ...args] = this.#spec.argv;
    const env = { ...this.#spec.env, [MARKER]: this.#parts.marker };
    const command = { program, args, options: { cwd: this.#spec.cwd, env } };
    if (isJoined(this.#spec)) {
      this.#child = startJoined(command);
      return statusOf(await endOf(this.#child));
    }
    const pipes = await ownPipes();
    const flow = new Flow(onOutput);
    this.#flow = flow;
    const { child, drained, ended } = startPiped(command, pipes, flow);
    this.#child = child;
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
    return status;
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

  /** Until nobody is found twice in a row: while a process is being made or begins a program, it has no marker. */
  async #killAll(): Promise<void> {
    for (let quiet = 0, round = 0; quiet < QUIET_ROUNDS && round < MAX_ROUNDS; round += 1) {
      quiet = (await this.#sendAll('SIGKILL')) === 0 ? quiet + 1 : 0;
      await setTimeout(ROUND_MS);
    }
  }

  async #sendAll(signal: NodeJS.Signals): Promise<number> {
    const group = this.#child?.pid;
    if (group !== undefined && !isJoined(this.#spec)) send(-group, signal);
    const pids = await markedPids(`${MARKER}=${this.#parts.marker}`);
    for (const pid of pids) send(pid, signal);
    return pids.length;
  }
}

/** Open pipes need no name, so none is left however this process ends. */
async function ownPipes() {
  const directory = await mkdtemp(join(tmpdir(), 'stager-pipes-'));
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  return await outputPipes(directory, owner).finally(() => removeDirectory(directory));
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
