/** What /proc says about processes: which are alive, share a namespace, or are children of another. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { errnoOf } from '../../../words/errors.ts';

/** Pids of this machine's processes, as this process sees them. */
export async function allPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Pids (as seen here) of every process in the pid namespace that `init` is the first process of. */
export async function namespacePids(init: number): Promise<number[]> {
  const space = await linkOrNothing(`/proc/${init}/ns/pid`);
  if (space === undefined) return [];
  const own = await linkOrNothing('/proc/self/ns/pid');
  // Before the runtime has made the namespace its child is in ours.
  if (own === space) return [];
  const pids = await allPids();
  const spaces = await Promise.all(pids.map((pid) => linkOrNothing(`/proc/${pid}/ns/pid`)));
  return pids.filter((_, index) => spaces[index] === space);
}

/** Pids of living processes that were started with `entry` (`NAME=value`) in their environment. */
export async function markedPids(entry: string): Promise<number[]> {
  return await pidsWith('environ', `${entry}\0`);
}

/** Pids of living processes whose command line has `text`. */
export async function pidsNaming(text: string): Promise<number[]> {
  return await pidsWith('cmdline', text);
}

async function pidsWith(file: 'environ' | 'cmdline', text: string): Promise<number[]> {
  const needle = Buffer.from(text);
  const pids = await allPids();
  const found = await Promise.all(
    pids.map(async (pid) => {
      const bytes = await readFile(`/proc/${pid}/${file}`).catch(() => undefined);
      return bytes?.includes(needle) === true;
    }),
  );
  return pids.filter((_, index) => found[index] === true);
}

/** The children of a process, oldest first. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readOrNothing(`/proc/${pid}/task/${pid}/children`);
  return text === undefined ? [] : text.split(' ').filter(Boolean).map(Number);
}

/** Sends `signal`; false when the process has ended or is not ours to signal. */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ESRCH' || errno === 'EPERM') return false;
    throw error;
  }
}

/**
 * Bytes on the device `dev` in files that these processes hold open though they have no name any longer: du(1)
 * does not see them.
 */
export async function heldOpenBytes(pids: readonly number[], dev: number): Promise<number> {
  const held = new Map<number, number>();
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const stats = await stat(`/proc/${pid}/fd/${descriptor}`).catch(() => undefined);
      if (stats?.isFile() === true && stats.nlink === 0 && stats.dev === dev)
        held.set(stats.ino, stats.blocks * 512);
    }
  }
  return [...held.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** The text of a file under /proc or /sys, or undefined where it can't be read (the process has ended). */
export async function readOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

async function linkOrNothing(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
