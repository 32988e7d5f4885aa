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
import type { LayerEntries, LayerEntry } from './entries.ts';

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
  readonly #byDirectory: ReadonlyMap<string, ReadonlyMap<string, KnownChild>>;
  /** Directories that are above and the same as below. */
  readonly #same = new Map<string, boolean>();
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
    this.#byDirectory = grouped(entries);
  }

  childrenOf(host: string): KnownChildren | undefined {
    const { seen, above } = this.#places;
    if (!host.startsWith(seen) || this.#offset < BELOW_FROM) return undefined;
    const path = host.slice(seen.length);
    const children = this.#byDirectory.get(path);
    const state = this.#stateOf(path);
    if (state === 'whole') return { children: children ?? NOTHING, whole: true };
    if (state === 'other' || children === undefined) return undefined;
    const changed = new Set(namesOf(above + path));
    const left = [...children].filter(([name, { kind }]) => kind !== 'directory' && !changed.has(name));
    return { children: new Map(left), whole: false };
  }

  /** `whole`: nothing at or below it is above; `same`: it is, and still the one that is below; else `other`. */
  #stateOf(path: string): 'whole' | 'same' | 'other' {
    const parent = path.slice(0, path.lastIndexOf('/', path.length - 2) + 1);
    if (path !== '') {
      const above = this.#stateOf(parent);
      if (above !== 'same') return above;
    }
    if (inodeAt(this.#places.above + path) === undefined) return 'whole';
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

function grouped(entries: LayerEntries): ReadonlyMap<string, ReadonlyMap<string, KnownChild>> {
  const all = new Map<string, Map<string, KnownChild>>();
  for (const [text, entry] of entries) {
    const path = bytesOf(text);
    const slash = path.lastIndexOf('/') + 1;
    const directory = path.slice(0, slash);
    const siblings = all.get(directory) ?? new Map<string, KnownChild>();
    siblings.set(path.slice(slash), childOf(entry));
    all.set(directory, siblings);
  }
  return all;
}

function childOf(entry: LayerEntry): KnownChild {
  if (entry.kind === 'directory') return { kind: 'directory', mode: entry.mode };
  if (entry.kind === 'symlink') return { kind: 'symlink', target: bytesOf(entry.target) };
  const { mode, sizeBytes: size, sha256 } = entry;
  return { kind: 'file', mode, size, mtime: Math.floor(entry.mtimeMs / 1000), sha256 };
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
