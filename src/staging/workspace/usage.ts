/** How much a tree takes, and where: what a person is told when a disk limit was hit. */
import { lstatSync, readdirSync } from 'node:fs';
import { Pace } from '../../machine/host/pace.ts';
import { errnoOf } from '../../words/errors.ts';

/** One directory with everything below it. */
export interface DirectoryUsage {
  /** Relative to the directory that was measured. */
  readonly path: string;
  readonly diskBytes: number;
}

/** What is below a directory, itself included. */
export interface TreeUsage {
  /** Blocks in use; a hard-linked file counts once. */
  readonly diskBytes: number;
  /** Sum of file sizes as `ls` shows them; a hard-linked file counts once. */
  readonly apparentBytes: number;
  readonly inodes: number;
  /** Directories that could not be read; their content is missing from the sums. */
  readonly unreadable: number;
  /** Largest first. A directory of which one subdirectory is nearly all is left out in favour of that one. */
  readonly largest: readonly DirectoryUsage[];
}

/** How {@link usage} looks. */
export interface UsageOptions {
  readonly signal?: AbortSignal;
  /** Levels below the root that are listed in `largest`, default 3 (`contents/deps/0`). */
  readonly depth?: number;
  /** Length of `largest`, default 5. */
  readonly top?: number;
}

/** One subdirectory that holds this share of its parent is named instead of it. */
const NEARLY_ALL = 0.8;

/**
 * Measures a tree while others may write to it: what vanishes meanwhile does not count, what can't be read is
 * counted as unreadable. Links are not followed.
 *
 * @throws StagerError CANCELLED.
 */
export async function usage(directory: string, options: UsageOptions = {}): Promise<TreeUsage> {
  const pace = new Pace(options.signal ?? new AbortController().signal);
  const count = new Count(options.depth ?? 3);
  count.addEntry(directory, []);
  const ahead: { readonly path: string; readonly above: readonly string[] }[] = [
    { path: directory, above: [] },
  ];
  for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
    for (const entry of count.list(next.path)) {
      if (pace.spent) await pace.rest();
      const path = `${next.path}/${entry.name}`;
      const isDirectory = entry.isDirectory();
      const above = isDirectory ? count.below(next.above, entry.name) : next.above;
      count.addEntry(path, above);
      if (isDirectory) ahead.push({ path, above });
    }
  }
  return count.result(options.top ?? 5);
}

class Count {
  readonly #depth: number;
  readonly #linked = new Set<string>();
  readonly #sums = new Map<string, number>();
  #diskBytes = 0;
  #apparentBytes = 0;
  #inodes = 0;
  #unreadable = 0;

  constructor(depth: number) {
    this.#depth = depth;
  }

  list(path: string) {
    try {
      return readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') this.#unreadable += 1;
      return [];
    }
  }

  /** The directories that a subdirectory's content counts for, itself last; no deeper than is listed. */
  below(above: readonly string[], name: string): readonly string[] {
    if (above.length >= this.#depth) return above;
    const parent = above.at(-1);
    return [...above, parent === undefined ? name : `${parent}/${name}`];
  }

  addEntry(path: string, above: readonly string[]): void {
    const stat = attempt(() => lstatSync(path, { throwIfNoEntry: false }));
    if (stat === undefined) return;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      const inode = `${stat.dev}:${stat.ino}`;
      if (this.#linked.has(inode)) return;
      this.#linked.add(inode);
    }
    const bytes = stat.blocks * 512;
    this.#inodes += 1;
    this.#diskBytes += bytes;
    if (stat.isFile()) this.#apparentBytes += stat.size;
    for (const directory of above) this.#sums.set(directory, (this.#sums.get(directory) ?? 0) + bytes);
  }

  result(top: number): TreeUsage {
    const outdone = this.#outdone();
    const largest = [...this.#sums]
      .filter(([path]) => !outdone.has(path))
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
      .slice(0, top)
      .map(([path, bytes]) => ({ path, diskBytes: bytes }));
    return {
      diskBytes: this.#diskBytes,
      apparentBytes: this.#apparentBytes,
      inodes: this.#inodes,
      unreadable: this.#unreadable,
      largest,
    };
  }

  /** Directories for which one subdirectory is named. */
  #outdone(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const [path, bytes] of this.#sums) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (bytes >= (this.#sums.get(parent) ?? Number.POSITIVE_INFINITY) * NEARLY_ALL) found.add(parent);
    }
    return found;
  }
}

function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
