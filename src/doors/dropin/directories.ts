/** Creates and cleans the directories of a build as the original does. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { pathError, withPathError } from './go/errno.ts';
import { join, statWorks } from './go/path.ts';

/** Drops the entries of `root` that are not in `needed`. */
export function cleanDirectory(root: string, needed: ReadonlySet<string>): void {
  for (const name of withPathError('open', root, () => readdirSync(root).toSorted())) {
    const path = join(root, name);
    if (needed.has(path)) continue;
    withPathError('unlinkat', path, () => rmSync(path, { recursive: true, force: true }));
  }
}

/** A fresh private directory, named as the original names it. */
export function makeContentsDir(tmp: string): string {
  const parent = tmp === '' ? '/tmp' : tmp;
  for (let attempt = 0; ; attempt++) {
    const path = join(parent, `contents${randomNumber()}`);
    try {
      mkdirSync(path, 0o700);
      return path;
    } catch (error) {
      if (!statWorks(parent)) throw pathError('stat', parent, error);
      if (attempt === 10_000 || !statWorks(path)) throw pathError('mkdir', path, error);
    }
  }
}

/** A number as Go puts it behind the names of temporary files. */
export function randomNumber(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

/** Whether there is something at `path`. @throws Error when that can't be told. */
export function exists(path: string): boolean {
  return withPathError('stat', path, () => statSync(path, { throwIfNoEntry: false }) !== undefined);
}
