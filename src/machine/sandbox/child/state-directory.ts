/**
 * Where a sandbox keeps its bundles and its runtime's state, and whose it is.
 *
 * Every stager process has a directory of its own, named after the boot, its pid namespace, pid and start time.
 * The name alone says whether the owner lives, so there is no moment at which a directory exists without its lock.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { lifeOf, ownIdentity } from '../../host/process-identity.ts';
import { makeDirectory } from './files.ts';

const NAME = /^([0-9a-f-]{36})\.(\d+)\.(\d+)\.(\d+)\.(\w+)$/;

/** The directory of this process, made if need be; `tag` tells several of one process apart. */
export async function claimDirectory(stateDir: string, tag: string): Promise<string> {
  const name = `${processLabel()}.${tag}`;
  const path = join(stateDir, name);
  await mkdir(stateDir, { recursive: true });
  await makeDirectory(path, 0o711);
  return path;
}

/** Names this process among all of this machine. */
export function processLabel(): string {
  const { bootId, pidNamespace, pid, startTime } = ownIdentity();
  return [bootId, /\d+/.exec(pidNamespace)?.[0] ?? '0', pid, startTime].join('.');
}

/**
 * Whether the process that a name `<label>.<tag>` belongs to lives. That of another pid namespace (a container
 * that shares the directory) can't be seen from here and is `unknown`; so is a name that is not ours.
 */
export function lifeOfLabel(name: string): 'alive' | 'dead' | 'unknown' {
  const [, bootId, space, pid, startTime] = NAME.exec(name) ?? [];
  if (bootId === undefined || startTime === undefined) return 'unknown';
  return lifeOf({ host: hostname(), bootId, pidNamespace: `pid:[${space}]`, pid: Number(pid), startTime });
}

/** Directories whose owners are gone; those that can't be judged are left alone. */
export async function deadDirectories(stateDir: string): Promise<string[]> {
  const names = await readdir(stateDir).catch(() => []);
  return names.filter((name) => lifeOfLabel(name) === 'dead').map((name) => join(stateDir, name));
}

/** Removes one of our directories; nothing is mounted in it on the host. */
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
