/**
 * The second half of unpacking: hard links, symbolic links, then the modes and times of directories. Everything
 * here comes after the last file was written, so a link can't redirect a write and a read-only directory can't
 * stop one.
 */

import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { errnoOf, throwIfCancelled } from '../../../words/errors.ts';
import { fileTime } from '../../../words/units.ts';
import { type ParsedEntry, Refused } from '../tar/tar-parse.ts';
import { hostPathOf, readable } from '../tar/tree-walk.ts';

/** Where, and for whom. */
export interface PlaceOptions {
  /** Byte string. */
  readonly dest: string;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal: AbortSignal;
}

/** Other work of the process gets its turn after so many entries. */
const TURN = 500;

/** Makes links and finishes directories. @throws Refused when two entries contradict each other; CANCELLED. */
export async function placeLater(
  later: readonly ParsedEntry[],
  options: PlaceOptions,
): Promise<{ directories: number; links: number }> {
  const directories = later.filter((entry) => entry.type === 'directory');
  const symlinks = later.filter((entry) => entry.type === 'symlink');
  const hardlinks = later.filter((entry) => entry.type === 'hardlink');
  const targets = new Map(symlinks.map((entry) => [entry.path, entry.link]));
  const inTurns = async (
    entries: readonly ParsedEntry[],
    place: (entry: ParsedEntry) => void,
  ): Promise<void> => {
    for (const [index, entry] of entries.entries()) {
      if (index % TURN === TURN - 1) await setImmediate();
      throwIfCancelled(options.signal);
      place(entry);
    }
  };
  // A hard link to a symbolic link is a second symbolic link.
  await inTurns(hardlinks, (entry) => {
    const target = targets.get(entry.link);
    if (target === undefined) placeHardLink(entry, options);
  });
  await inTurns(symlinks, (entry) => placeSymlink(entry, entry.link, options));
  await inTurns(hardlinks, (entry) => {
    const target = targets.get(entry.link);
    if (target !== undefined) placeSymlink(entry, target, options);
  });
  // Children first: their parents may be closed to us afterwards.
  await inTurns(directories.toReversed(), (entry) => finishDirectory(entry, options));
  return { directories: directories.length, links: symlinks.length + hardlinks.length };
}

function placeHardLink(entry: ParsedEntry, options: PlaceOptions): void {
  const { dest } = options;
  demandRealParents(entry.path, options);
  demandRealParents(entry.link, options);
  const target = lstatSync(hostPathOf(`${dest}/${entry.link}`), { throwIfNoEntry: false });
  if (target?.isFile() !== true) {
    throw new Refused(
      `${readable(entry.path)} is a hard link to ${readable(entry.link)}, which is not a file in it`,
    );
  }
  unlessTaken(entry, () =>
    linkSync(hostPathOf(`${dest}/${entry.link}`), hostPathOf(`${dest}/${entry.path}`)),
  );
}

function placeSymlink(entry: ParsedEntry, target: string, options: PlaceOptions): void {
  demandRealParents(entry.path, options);
  const path = hostPathOf(`${options.dest}/${entry.path}`);
  unlessTaken(entry, () => symlinkSync(hostPathOf(target), path));
  if (options.owner !== undefined) lchownSync(path, options.owner.uid, options.owner.gid);
  const time = fileTime(entry.mtime);
  lutimesSync(path, time, time);
}

function finishDirectory(entry: ParsedEntry, options: PlaceOptions): void {
  const path = hostPathOf(`${options.dest}/${entry.path}`);
  if (!lstatSync(path).isDirectory())
    throw new Refused(`${readable(entry.path)} is a directory and something else`);
  if (options.owner !== undefined) chownSync(path, options.owner.uid, options.owner.gid);
  chmodSync(path, entry.mode);
  const time = fileTime(entry.mtime);
  utimesSync(path, time, time);
}

/** Every directory above `path` must be one (absent ones are made); a link made a moment ago is not. */
function demandRealParents(path: string, options: PlaceOptions): void {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const host = hostPathOf(`${options.dest}/${path.slice(0, at)}`);
    const parent = lstatSync(host, { throwIfNoEntry: false });
    if (parent === undefined) {
      mkdirSync(host, 0o755);
      if (options.owner !== undefined) chownSync(host, options.owner.uid, options.owner.gid);
    } else if (!parent.isDirectory()) {
      throw new Refused(
        `${readable(path)} is below ${readable(path.slice(0, at))}, which is not a directory`,
      );
    }
  }
}

function unlessTaken(entry: ParsedEntry, place: () => void): void {
  try {
    place();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    throw new Refused(`${readable(entry.path)} exists already or is in it twice`);
  }
}
