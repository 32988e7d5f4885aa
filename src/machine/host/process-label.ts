/**
 * Names of files and directories that say whose they are: what a process writes aside, makes for itself or holds. The
 * name alone says whether the owner lives, so whoever comes next removes what a dead one left, wherever it lies.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { namesIn } from './names-in.ts';
import { lifeOf, ownIdentity } from './process-identity.ts';
import { removeTree } from './remove-tree.ts';

/** `<label>.<tag>`, with anything before it, and `.new` where other programs look for that. */
const NAME = /(?:^|\.)([0-9a-f-]{36})\.(\d+)\.(\d+)\.(\d+)\.(\w+)(?:\.new)?$/;

/** Names this process among all of this machine: boot, pid namespace, pid, start time. */
export function processLabel(): string {
  const { bootId, pidNamespace, pid, startTime } = ownIdentity();
  return [bootId, /\d+/.exec(pidNamespace)?.[0] ?? '0', pid, startTime].join('.');
}

/** A path beside `path` that nobody else uses, and that {@link sweepDead} removes when this process died. */
export function asidePath(path: string): string {
  return `${path}.${processLabel()}.${randomBytes(8).toString('hex')}.new`;
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

/** Removes what dead processes left in `directories`. What can't be removed is left to the next one. */
export async function sweepDead(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (const name of await namesIn(directory).catch(() => [])) {
      if (lifeOfLabel(name) === 'dead') await removeTree(join(directory, name)).catch(() => undefined);
    }
  }
}
