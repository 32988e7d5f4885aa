/** What an installation did to a directory: which paths it added, and whether it touched others. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Paths below a directory, with what lstat(2) says of each. */
export type TreeFacts = ReadonlyMap<string, string>;

/** What is different from how it was. */
export interface TreeChanges {
  /** Uppermost paths that were not there. */
  readonly added: readonly string[];
  /** Paths that were there and are gone, or other than they were. */
  readonly touched: readonly string[];
}

/** Looks at every path below `dir`, but not below those that `enter` says no to. */
export function treeFacts(dir: string, enter: (path: string) => boolean = () => true): TreeFacts {
  const found = new Map<string, string>();
  const ahead = [''];
  for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
    for (const name of readdirSync(join(dir, at))) {
      const path = join(at, name);
      const stats = lstatSync(join(dir, path), { bigint: true });
      if (stats.isDirectory() && enter(path)) ahead.push(path);
      found.set(path, factsOf(stats));
    }
  }
  return found;
}

/** Does not look into what was added. */
export function changesSince(before: TreeFacts, dir: string): TreeChanges {
  const after = treeFacts(dir, (path) => before.has(path));
  return {
    added: [...after.keys()].filter((path) => !before.has(path)).sort(),
    touched: [...before].filter(([path, facts]) => after.get(path) !== facts).map(([path]) => path),
  };
}

/** Times of directories change with what is added to them. */
function factsOf(stats: BigIntStats): string {
  const { mode, size, mtimeNs, ctimeNs, ino } = stats;
  return stats.isDirectory() ? `d ${mode}` : [mode, size, mtimeNs, ctimeNs, ino].join(' ');
}
