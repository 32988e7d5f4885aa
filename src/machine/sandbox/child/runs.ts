/** The running commands, by owner. */
import type { ExitReport } from '../port/exit-report.ts';
import type { OnOutput } from '../port/sandbox.ts';

/** What is kept of one command. */
export interface TrackedRun {
  /** Runs to the end. */
  finish(io: { readonly signal: AbortSignal; readonly onOutput: OnOutput }): Promise<ExitReport>;
  /** Sends a signal to the command itself. @returns false when it has ended. */
  signal(signal: NodeJS.Signals): boolean | Promise<boolean>;
}

/** See the top of the file. */
export class Runs<R extends TrackedRun> {
  readonly #running = new Map<string, Set<R>>();

  /** Those of an owner that have not ended. */
  of(owner: string): Iterable<R> {
    return this.#running.get(owner) ?? [];
  }

  /** Runs one to its end; it is known by its owner meanwhile. */
  async finish(owner: string, run: R, io: Parameters<R['finish']>[0]): Promise<ExitReport> {
    const runs = this.#running.get(owner) ?? new Set();
    this.#running.set(owner, runs.add(run));
    try {
      return await run.finish(io);
    } finally {
      runs.delete(run);
      if (runs.size === 0) this.#running.delete(owner);
    }
  }

  /** @returns false when no command of this owner got it. */
  async signal(owner: string, signal: NodeJS.Signals): Promise<boolean> {
    let sent = false;
    for (const run of this.of(owner)) if (await run.signal(signal)) sent = true;
    return sent;
  }
}
