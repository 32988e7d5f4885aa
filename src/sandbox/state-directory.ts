/**
 * Where a sandbox keeps its bundles and its runtime's state, and whose it is.
 *
 * Every stager process has a directory of its own, named after the boot, its pid name space, pid and start time.
 * The name alone says whether the owner lives, so there is no moment at which a directory exists without its lock.
 */
import { mkdir, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from './files.ts';
import { identify, isAlive } from './processes.ts';

const NAME = /^([0-9a-f]{8})\.(\d+)\.(\d+)\.(\d+)\.(\w+)$/;

/** The directory of this process, made if need be; `tag` tells several of one process apart. */
export async function claimDirectory(stateDir: string, tag: string): Promise<string> {
  const self = await identify(process.pid);
  const name = [await bootId(), await pidSpace(), process.pid, self?.startTicks ?? 0, tag].join('.');
  const path = join(stateDir, name);
  await mkdir(stateDir, { recursive: true });
  await makeDirectory(path, 0o711);
  return path;
}

/**
 * Directories whose owners are gone: of an earlier boot, or of a process that no longer lives. Those of another
 * pid name space (a container that shares the directory) can't be judged from here and are left alone.
 */
export async function deadDirectories(stateDir: string): Promise<string[]> {
  const names = await readdir(stateDir).catch(() => []);
  const [boot, space] = [await bootId(), await pidSpace()];
  const dead: string[] = [];
  for (const name of names) {
    const [, ownBoot, ownSpace, pid, startTicks] = NAME.exec(name) ?? [];
    if (ownBoot === undefined) continue;
    const elsewhere = ownBoot === boot && ownSpace !== space;
    const lives = ownBoot === boot && (await isAlive({ pid: Number(pid), startTicks: Number(startTicks) }));
    if (!elsewhere && !lives) dead.push(join(stateDir, name));
  }
  return dead;
}

/** Removes a directory of ours; nothing is mounted in it on the host. */
export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** First of `candidates` that a user of no rights may pass through to; the runtime works as one. */
export async function firstSearchable(candidates: readonly string[]): Promise<string | undefined> {
  for (const candidate of candidates) if (await isSearchable(candidate)) return candidate;
  return undefined;
}

async function isSearchable(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (stats !== undefined && (stats.mode & 0o001) === 0) return false;
  return path === '/' ? true : await isSearchable(dirname(path));
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).slice(0, 8);
}

async function pidSpace(): Promise<string> {
  return /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0';
}
