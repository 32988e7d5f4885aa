/** What ties the processes of one confined command together: its start list, its mark, and its user. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import type { ChildCommand } from '../child/child.ts';
import type { Tether } from '../child/host-run.ts';
import { endOf } from '../kernel/child-end.ts';
import { describeFailure, statusOf } from '../kernel/run-list.ts';
import type { StartList } from '../kernel/start-list.ts';
import { ENTRY_BYTES } from '../kernel/starter.ts';
import type { Mount, SandboxSpec } from '../port/sandbox.ts';
import { CWD, confine, EXEC } from './confine.ts';
import { pidsMarked, tasksOf } from './mark.ts';
import type { ProcessPlan } from './plan.ts';

/** What one is made of. */
export interface TetherParts {
  readonly plan: ProcessPlan;
  /** With paths of the host. */
  readonly spec: SandboxSpec;
  /** The run's own directory. */
  readonly directory: string;
  readonly mark: number;
  /** Ends all that the run's user runs (confine.ts, endAllOf); undefined where the user is the caller. */
  readonly endsFile: string | undefined;
  /** Whether the user runs nothing else. */
  readonly isAlone: () => boolean;
}

/** Used once. */
export class ProcessTether implements Tether {
  readonly command: ChildCommand;
  readonly #parts: TetherParts;
  readonly #list: StartList;
  readonly #file: string;

  private constructor(parts: TetherParts, list: StartList, file: string) {
    this.#parts = parts;
    this.#list = list;
    this.#file = file;
    this.command = {
      program: parts.plan.starter,
      args: [file],
      options: { cwd: '/', env: {} },
      fourth: 'pipe',
    };
  }

  /** Writes the start list. */
  static async make(parts: TetherParts): Promise<ProcessTether> {
    const { plan, spec, directory, mark } = parts;
    const { user } = plan.confinement;
    const list = confine(plan.confinement, {
      spec,
      readable: sources(spec.mounts, false),
      writable: sources(spec.mounts, true),
      mark,
      others: user === undefined ? await tasksOf(process.getuid?.() ?? 0) : 0,
    });
    const file = join(directory, 'start');
    // The command's environment is in it.
    await writeFile(file, list.bytes(), { mode: 0o600 });
    return new ProcessTether(parts, list, file);
  }

  async members(): Promise<readonly number[]> {
    return await pidsMarked(this.#parts.mark);
  }

  async endAll(): Promise<void> {
    const { endsFile, isAlone, plan } = this.#parts;
    if (endsFile === undefined || !isAlone()) return;
    await endOf(spawn(plan.starter, [endsFile], { stdio: 'ignore', env: {}, cwd: '/' }));
  }

  /** @throws StagerError SANDBOX_FAILED when it could not be confined as planned. */
  async whyNotBegun(child: ChildProcess): Promise<string | undefined> {
    const written = await statusOf(child.stdio[3]);
    await rm(this.#file, { force: true });
    if (written.length < ENTRY_BYTES) return undefined;
    const failure = this.#list.failure(written);
    const { spec } = this.#parts;
    if (failure.what === EXEC) return `${spec.argv[0]}: ${describeFailure(failure)}`;
    if (failure.what === CWD) return `${spec.cwd}: ${describeFailure(failure)}`;
    throw new StagerError('SANDBOX_FAILED', `a process could not be confined: ${describeFailure(failure)}`, {
      next: 'Run `stager doctor` to see what this machine can do.',
    });
  }
}

const sources = (mounts: readonly Mount[], writable: boolean): readonly string[] =>
  mounts.filter((mount) => mount.writable === writable).map(({ source }) => source);
