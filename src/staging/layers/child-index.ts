/** Finds what is in a directory of a list, without an object for each entry. */
import type { KnownChild } from '../droplet/tar/known-tree.ts';
import type { LayerEntries } from './entries.ts';

const NONE = -1;

/** See the top of the file. Names are byte strings. */
export class ChildIndex {
  readonly #entries: LayerEntries;
  /** By path with a slash at its end: its first child. */
  readonly #first = new Map<string, number>();
  /** Of each entry the next one in its directory. */
  readonly #next: Int32Array;

  constructor(entries: LayerEntries) {
    this.#entries = entries;
    this.#next = new Int32Array(entries.size).fill(NONE);
    let directory = '';
    for (let index = 0; index < entries.size; index += 1) {
      const path = entries.pathBytesAt(index);
      const slash = path.lastIndexOf('/') + 1;
      if (slash !== directory.length || !path.startsWith(directory)) directory = path.slice(0, slash);
      this.#next[index] = this.#first.get(directory) ?? NONE;
      this.#first.set(directory, index);
    }
  }

  /** By name; undefined when the list has nothing in it. */
  childrenOf(directory: string): ReadonlyMap<string, KnownChild> | undefined {
    const first = this.#first.get(directory);
    if (first === undefined) return undefined;
    const children = new Map<string, KnownChild>();
    for (let index = first; index !== NONE; index = this.#next[index] ?? NONE)
      children.set(this.#entries.pathBytesAt(index).slice(directory.length), this.#childAt(index));
    return children;
  }

  #childAt(index: number): KnownChild {
    const entries = this.#entries;
    const kind = entries.kindAt(index);
    if (kind === 'directory') return { kind, mode: entries.modeAt(index) };
    if (kind === 'symlink') return { kind, target: entries.targetBytesAt(index) };
    const mtime = Math.floor(entries.mtimeMsAt(index) / 1000);
    const [mode, size, sha256] = [entries.modeAt(index), entries.sizeBytesAt(index), entries.sha256At(index)];
    return { kind, mode, size, mtime, sha256 };
  }
}
