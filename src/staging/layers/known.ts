/**
 * Which entries of a workspace's app are still those of the tree below it, so that they need not be looked at, opened or
 * read.
 *
 * The kernel says it: it copies a file, a link or a directory above before it changes. So what is not above is as it was.
 * A directory that is above may be another one by now, which was renamed to there or made anew; its inode number, which
 * is that of the one below as long as it is the same, tells.
 */
import { lstatSync, readdirSync } from 'node:fs';
import type { KnownChild, KnownChildren, KnownTree } from '../droplet/tar/known-tree.ts';
import { hostPathOf } from '../droplet/tar/tree-walk.ts';
import { ChildIndex } from './child-index.ts';
import type { LayerEntries } from './entries.ts';

/** Host paths of one directory, each as it is seen: by scripts, above and below. */
export interface LaidPlaces {
  readonly seen: string;
  readonly above: string;
  readonly below: string;
}

/** Numbers of what is below are larger than any of what is above; see `xino` in the kernel's overlayfs.rst. */
const BELOW_FROM = 2 ** 32;
const NOTHING: ReadonlyMap<string, KnownChild> = new Map();

/** See the top of the file. Scripts have ended when it is asked. */
export class LaidAppTree implements KnownTree {
  readonly #places: LaidPlaces;
  readonly #index: ChildIndex;
  /** Directories that are above and the same as below. */
  readonly #same = new Map<string, boolean>();
  /** The last directory that is not above: nothing below it is. */
  #whole: string | undefined;
  readonly #offset: number;

  /** @param offset what the kernel adds to the inode numbers of what is below; see {@link inodeOffset}. */
  constructor(places: LaidPlaces, entries: LayerEntries, offset: number) {
    const slashed = ({ seen, above, below }: LaidPlaces): LaidPlaces => ({
      seen: `${bytesOf(seen)}/`,
      above: `${bytesOf(above)}/`,
      below: `${bytesOf(below)}/`,
    });
    this.#places = slashed(places);
    this.#offset = offset;
    this.#index = new ChildIndex(entries);
  }

  childrenOf(host: string): KnownChildren | undefined {
    const { seen, above } = this.#places;
    if (!host.startsWith(seen) || this.#offset < BELOW_FROM) return undefined;
    const path = host.slice(seen.length);
    const state = this.#stateOf(path);
    if (state === 'other') return undefined;
    const children = this.#index.childrenOf(path);
    if (state === 'whole') return { children: children ?? NOTHING, whole: true };
    if (children === undefined) return undefined;
    const changed = new Set(namesOf(above + path));
    const left = [...children].filter(([name, { kind }]) => kind !== 'directory' && !changed.has(name));
    return { children: new Map(left), whole: false };
  }

  /** `whole`: nothing at or below it is above; `same`: it is, and still the one that is below; else `other`. */
  #stateOf(path: string): 'whole' | 'same' | 'other' {
    if (this.#whole !== undefined && path.startsWith(this.#whole)) return 'whole';
    const parent = path.slice(0, path.lastIndexOf('/', path.length - 2) + 1);
    if (path !== '') {
      const above = this.#stateOf(parent);
      if (above !== 'same') return above;
    }
    if (inodeAt(this.#places.above + path) === undefined) {
      this.#whole = path;
      return 'whole';
    }
    const known = this.#same.get(path);
    const isSame = known ?? this.#isSame(path);
    this.#same.set(path, isSame);
    return isSame ? 'same' : 'other';
  }

  #isSame(path: string): boolean {
    const { seen, below } = this.#places;
    const inode = inodeAt(below + path);
    return inode !== undefined && inodeAt(seen + path) === inode + this.#offset;
  }
}

/** What the kernel adds to the inode numbers below, by a directory that is not above; 0 when it does not. */
export function inodeOffset({ seen, below }: Pick<LaidPlaces, 'seen' | 'below'>): number {
  const offset = (inodeAt(bytesOf(seen)) ?? 0) - (inodeAt(bytesOf(below)) ?? 0);
  return Number.isSafeInteger(offset) && offset >= BELOW_FROM ? offset : 0;
}

/** Without the slash at its end, with which a link would be followed. */
function inodeAt(host: string): number | undefined {
  return lstatSync(hostPathOf(host.replace(/\/$/, '')), { throwIfNoEntry: false })?.ino;
}

function namesOf(host: string): readonly string[] {
  return readdirSync(hostPathOf(host), { encoding: 'latin1' });
}

/** As file names are, one character a byte. */
function bytesOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: "is it ASCII" is the question
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
