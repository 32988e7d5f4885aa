/** Walks a directory in path order, ignored directories left out unread where nothing below can be kept. */
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { errnoOf } from '../../words/errors.ts';
import { isRefused, parseRelPath, type RelPath } from '../../words/ids.ts';
import { changedWhileRead, unreadable } from './content.ts';
import type { IgnoreRules, Verdict } from './ignore.ts';

/** What `readdir` says about one entry; nothing was opened or followed. */
export type Found =
  | {
      readonly verdict: 'kept';
      readonly path: RelPath;
      readonly kind: 'file' | 'directory' | 'symlink' | 'special';
      /** `socket`, `device` … for kind special. */
      readonly type: string;
    }
  | { readonly verdict: 'ignored'; readonly path: string; readonly by: Verdict }
  | { readonly verdict: 'refused'; readonly path: string; readonly reason: string };

/** What goes into a package. */
export type Kept = Extract<Found, { verdict: 'kept' }>;

/** Paths of a walk, many in one string. */
export class WalkedPaths {
  readonly #joined: string[] = [];
  #last: RelPath[] = [];

  add(path: RelPath): void {
    this.#last.push(path);
    if (this.#last.length < PATHS_IN_ONE) return;
    this.#joined.push(this.#last.join('\0'));
    this.#last = [];
  }

  *[Symbol.iterator](): Generator<Pick<Kept, 'verdict' | 'path'>, void, undefined> {
    for (const joined of this.#joined) for (const path of split(joined)) yield { verdict: 'kept', path };
    for (const path of this.#last) yield { verdict: 'kept', path };
  }
}

const PATHS_IN_ONE = 512;

/** Each of them was checked before. */
function* split(joined: string): Generator<RelPath, void, undefined> {
  for (const text of joined.split('\0')) {
    const path = parseRelPath(text);
    if (!isRefused(path)) yield path;
  }
}

interface Level {
  readonly directory: string;
  readonly entries: readonly Dirent[];
  next: number;
}

/**
 * Yields every entry below `root`: parents before children, siblings by name. Holds one directory's names for
 * each level of depth.
 *
 * @throws StagerError SOURCE_UNREADABLE, SOURCE_CHANGED.
 */
export function* walk(root: string, rules: IgnoreRules): Generator<Found, void, undefined> {
  const levels: Level[] = [levelOf(root, '')];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const entry = level.entries[level.next];
    level.next += 1;
    if (entry === undefined) {
      levels.pop();
      continue;
    }
    const text = level.directory === '' ? entry.name : `${level.directory}/${entry.name}`;
    const isDirectory = entry.isDirectory();
    const found = judge(root, text, entry, rules);
    yield found;
    if (isDirectory && descends(found) && !rules.leavesOutAllBelow(text)) {
      levels.push(levelOf(root, text));
    }
  }
}

/** A refused directory is named once, not with everything in it. */
function descends(found: Found): boolean {
  return found.verdict === 'kept' || (found.verdict === 'ignored' && !found.path.includes('\uFFFD'));
}

function judge(root: string, text: string, entry: Dirent, rules: IgnoreRules): Found {
  const by = rules.explain(text, entry.isDirectory() ? 'directory' : 'other');
  if (by.ignored) return { verdict: 'ignored', path: text, by };
  const path = parseRelPath(text);
  if (isRefused(path)) return { verdict: 'refused', path: text, reason: path.refused };
  // Node shows bytes that are not UTF-8 as U+FFFD; such a name can't be opened again.
  if (entry.name.includes('\uFFFD') && !existsByName(`${root}/${text}`)) {
    return { verdict: 'refused', path: text, reason: 'has a name that is not UTF-8' };
  }
  const type = typeOf(entry);
  if (type === 'file' || type === 'directory' || type === 'symlink') {
    return { verdict: 'kept', path, kind: type, type };
  }
  return { verdict: 'kept', path, kind: 'special', type };
}

function levelOf(root: string, directory: string): Level {
  const host = directory === '' ? root : `${root}/${directory}`;
  try {
    const entries = readdirSync(host, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return { directory, entries, next: 0 };
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') throw changedWhileRead(directory, 'is no longer a directory');
    throw unreadable(directory === '' ? host : directory, error);
  }
}

function existsByName(hostPath: string): boolean {
  return lstatSync(hostPath, { throwIfNoEntry: false }) !== undefined;
}

function typeOf(entry: Dirent): string {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'symlink';
  if (entry.isSocket()) return 'socket';
  if (entry.isFIFO()) return 'named pipe';
  if (entry.isBlockDevice()) return 'block device';
  if (entry.isCharacterDevice()) return 'character device';
  return 'file of an unknown kind';
}
