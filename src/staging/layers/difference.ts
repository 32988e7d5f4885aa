/** What has to be done to the tree of one package so that it is that of another. */
import { isSameEntry, type LayerEntries, type LayerEntry } from './entries.ts';

/** See the top of the file. */
export interface PackageChange {
  /** Paths that go, none below another: what is not there any more, and what is replaced. */
  readonly removed: readonly string[];
  /** What is written, in path order: what is new or other, and the directories above it and above what goes. */
  readonly written: readonly LayerEntry[];
  /** Bytes of the files that are written. */
  readonly bytes: number;
}

/** From `old` to `now`. */
export function difference(old: LayerEntries, now: LayerEntries): PackageChange {
  const changes = new Changes(now);
  for (const [path, entry] of now) {
    const before = old.get(path);
    if (before !== undefined && isSameEntry(before, entry)) continue;
    if (before !== undefined && !(before.kind === 'directory' && entry.kind === 'directory'))
      changes.remove(path);
    changes.write(path);
  }
  for (const path of old.keys()) if (!now.has(path)) changes.remove(path);
  return changes.result();
}

class Changes {
  readonly #now: LayerEntries;
  readonly #removed = new Set<string>();
  readonly #written = new Set<string>();

  constructor(now: LayerEntries) {
    this.#now = now;
  }

  remove(path: string): void {
    this.#removed.add(path);
    this.#parents(path);
  }

  write(path: string): void {
    this.#written.add(path);
    this.#parents(path);
  }

  /** A directory in which something is made gets a new time, and so has to get its own again. */
  #parents(path: string): void {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (this.#written.has(parent)) return;
      if (this.#now.get(parent)?.kind === 'directory') this.#written.add(parent);
    }
  }

  result(): PackageChange {
    const removed = [...this.#removed].filter((path) => !this.#isBelowRemoved(path)).sort();
    const written = [...this.#now].flatMap(([path, entry]) => (this.#written.has(path) ? [entry] : []));
    const bytes = written.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.sizeBytes : 0), 0);
    return { removed, written, bytes };
  }

  #isBelowRemoved(path: string): boolean {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
      if (this.#removed.has(path.slice(0, slash))) return true;
    return false;
  }
}
