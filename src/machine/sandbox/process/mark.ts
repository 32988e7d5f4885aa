/**
 * How the processes of a run are found: by a hard limit of real-time scheduling that no one else has.
 *
 * Every child inherits it, a filter refuses to change it (filter.ts), everybody may read it in /proc, and it means nothing
 * to a process that is not scheduled in real time. A variable in the environment could be cleared.
 */
import { randomInt } from 'node:crypto';
import { allPids, readOrNothing } from '../kernel/processes.ts';

/** The marks of one process begin with the same digits, so that a shell finds all of them. */
export class Marks {
  /** Twelve digits; three more follow. */
  readonly prefix = randomInt(100_000_000_000, 200_000_000_000);
  #runs = 0;

  next(): number {
    this.#runs += 1;
    return this.prefix * RUNS + (this.#runs % RUNS);
  }
}

const RUNS = 1_000;

/** Pids of living processes that bear one of the marks that `isMark` knows. */
export async function pidsMarked(mark: number): Promise<number[]> {
  const line = new RegExp(`^Max realtime timeout\\s+${mark}\\s`, 'm');
  const pids = await allPids();
  const marked = await Promise.all(
    pids.map(async (pid) => {
      const limits = await readOrNothing(`/proc/${pid}/limits`);
      return limits !== undefined && line.test(limits) && (await lives(pid));
    }),
  );
  return pids.filter((_, index) => marked[index] === true);
}

/** Not one that has ended and waits for its parent. */
async function lives(pid: number): Promise<boolean> {
  const stat = await readOrNothing(`/proc/${pid}/stat`);
  if (stat === undefined) return false;
  // The name, in brackets, may hold anything.
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0];
  return state !== 'Z' && state !== 'X';
}

/** How many processes and threads a user has. */
export async function tasksOf(uid: number): Promise<number> {
  const statuses = await Promise.all((await allPids()).map((pid) => readOrNothing(`/proc/${pid}/status`)));
  const own = new RegExp(`^Uid:\\s+${uid}\\s`, 'm');
  return statuses
    .filter((status) => status !== undefined && own.test(status))
    .reduce((sum, status) => sum + Number(/^Threads:\s+(\d+)$/m.exec(status ?? '')?.[1] ?? 1), 0);
}
