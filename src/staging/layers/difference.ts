/** What has to be done to the tree of one package so that it is that of another. */
import type { LayerEntries } from './entries.ts';
import type { LayerEntry } from './entry-records.ts';

/** See the top of the file. */
export interface PackageChange {
  /** Paths that go, none below another: what is not there any more, and what is replaced. */
  readonly removed: readonly string[];
  /** What is written, in path order: what is new or other, and the directories above it and above what goes. */
  readonly written: readonly LayerEntry[];
  /** Bytes of the files that are written. */
  readonly bytes: number;
}

/** From `old` to `now`. @returns undefined when more than `most` entries would have to be written. */
export function difference(
  old: LayerEntries,
  now: LayerEntries,
  most: number = Number.POSITIVE_INFINITY,
): PackageChange | undefined {
  if (old.equals(now)) return { removed: [], written: [], bytes: 0 };
  const changes = new Changes(now);
  let [before, index] = [0, 0];
  while (before < old.size || index < now.size) {
    if (before < old.size && index < now.size && old.isSameAt(before, now, index)) {
      before += 1;
      index += 1;
      continue;
    }
    const [was, is] = [pathOf(old, before), pathOf(now, index)];
    if (is === undefined || (was !== undefined && was < is)) {
      if (was !== undefined) changes.remove(was);
      before += 1;
    } else {
      if (was === is) {
        if (old.kindAt(before) !== 'directory' || now.kindAt(index) !== 'directory') changes.remove(is);
        before += 1;
      }
      changes.write(is, index);
      index += 1;
    }
    if (changes.size > most) return undefined;
  }
  return changes.result();
}

const pathOf = (list: LayerEntries, index: number): string | undefined =>
  index < list.size ? list.pathAt(index) : undefined;

class Changes {
  readonly #now: LayerEntries;
  readonly #removed = new Set<string>();
  /** Numbers of entries. */
  readonly #written = new Set<number>();
  #directories: ReadonlyMap<string, number> | undefined;

  constructor(now: LayerEntries) {
    this.#now = now;
  }

  get size(): number {
    return this.#written.size;
  }

  remove(path: string): void {
    this.#removed.add(path);
    this.#parents(path);
  }

  write(path: string, index: number): void {
    this.#written.add(index);
    this.#parents(path);
  }

  /** A directory in which something is made gets a new time, and so has to get its own again. */
  #parents(path: string): void {
    this.#directories ??= directoriesOf(this.#now);
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = this.#directories.get(path.slice(0, slash));
      if (parent === undefined) continue;
      if (this.#written.has(parent)) return;
      this.#written.add(parent);
    }
  }

  result(): PackageChange {
    const removed = [...this.#removed].filter((path) => !this.#isBelowRemoved(path)).sort();
    const written = [...this.#written].sort((a, b) => a - b).map((index) => this.#now.at(index));
    const bytes = written.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.sizeBytes : 0), 0);
    return { removed, written, bytes };
  }

  #isBelowRemoved(path: string): boolean {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
      if (this.#removed.has(path.slice(0, slash))) return true;
    return false;
  }
}

function directoriesOf(list: LayerEntries): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (let index = 0; index < list.size; index += 1)
    if (list.kindAt(index) === 'directory') all.set(list.pathAt(index), index);
  return all;
}
