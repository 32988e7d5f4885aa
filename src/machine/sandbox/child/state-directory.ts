/**
 * Where a sandbox keeps its bundles and its runtime's state, and whose it is.
 *
 * Every stager process has a directory of its own, named after the boot, its pid namespace, pid and start time.
 * The name alone says whether the owner lives, so there is no moment at which a directory exists without its claim.
 */

import { rmSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesNow } from '../../host/names-in.ts';
import { lifeOfLabel, processLabel } from '../../host/process-label.ts';
import { unmountBelow } from '../volume/unmount.ts';
import { makeDirectory } from './files.ts';

/** The directory of this process, made if need be; `tag` tells several of one process apart. */
export async function claimDirectory(stateDir: string, tag: string): Promise<string> {
  const name = `${processLabel()}.${tag}`;
  const path = join(stateDir, name);
  await mkdir(stateDir, { recursive: true });
  await makeDirectory(path, 0o711);
  return path;
}

/** Directories whose owners are gone; those that can't be judged are left alone. */
export function deadDirectories(stateDir: string): readonly string[] {
  return namesNow(stateDir)
    .filter((name) => lifeOfLabel(name) === 'dead')
    .map((name) => join(stateDir, name));
}

/** Below the directory of a process: what its runtime keeps for itself. */
export const RUNTIME_STATE = 'state';

/** Removes one of our directories. Nothing is mounted in it on the host, but what gVisor keeps: a network namespace. */
export async function removeDirectory(path: string): Promise<void> {
  // Not after a failure: that it is busy is found out only after many tries, which take seconds.
  await unmountBelow(join(path, RUNTIME_STATE));
  try {
    // One call for a tree of a few directories, which a bundle is.
    rmSync(path, { recursive: true, force: true });
  } catch {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
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
