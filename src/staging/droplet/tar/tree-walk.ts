/**
 * Turns roots on disk into the entries of an archive, in the order in which they are written: a directory, then
 * what is in it, names sorted by their bytes (as `tar --sort=name`). That order, and nothing that changes from run
 * to run, decides the bytes of the droplet.
 *
 * Names are byte strings (latin1), since file names on Linux are bytes. Only one directory's names and the
 * directories above it are held at a time.
 */
import { chmodSync, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import type { KnownChild, KnownTree } from './known-tree.ts';
import type { TarEntry } from './tar-header.ts';

/** One thing that goes into an archive. */
export type ContentRoot =
  /** A directory of the host and all below it; absent is an empty directory when `optional`. */
  | {
      readonly kind: 'tree';
      readonly hostPath: string;
      readonly archivePath: string;
      readonly optional?: boolean;
    }
  | { readonly kind: 'directory'; readonly archivePath: string }
  | { readonly kind: 'file'; readonly archivePath: string; readonly content: Uint8Array };

/** An entry and where its content is. */
export interface TreeEntry extends TarEntry {
  /** Byte string, host path of a file. */
  readonly host: string;
  /** Content of a file that is not on disk. */
  readonly content?: Uint8Array;
  /** Hex digest that the content is known to have. */
  readonly sha256?: string;
}

/** What a walk is told and what it tells. */
export interface WalkOptions {
  /** Seconds; every time in the archive becomes this. */
  readonly sourceDateEpoch?: number;
  /** True for the name (a byte string) of what is left out, with all below it; it is as if it were not there. */
  readonly leaveOut?: (name: string) => boolean;
  /** What need not be looked at. */
  readonly known?: KnownTree | undefined;
  /** Called for what can't be in a droplet: sockets, devices, pipes. */
  readonly onSkipped: (path: string, reason: string) => void;
  /** Takes what has to be done once the content of every entry was read, even if something failed. */
  readonly atEnd: (undo: () => void) => void;
}

/**
 * Time of directories, links and made-up entries: 1980-01-01. A directory's own time changes with whatever was
 * made in it last and a link's is when it was copied, so keeping them would make equal droplets differ. Not 0,
 * since GNU tar warns of times that old.
 */
const NEUTRAL_TIME = 315_532_800;
/** Permission bits and sticky; set-uid and set-gid stay out of droplets. */
const KEPT_MODE = 0o1777;

/** A byte string as the path that system calls take; plain ASCII needs no copy. */
export function hostPathOf(bytes: string): string | Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: "is it ASCII" is the question
  return /^[\x00-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** What all names of one file share. Exact: overlays have inode numbers that no double holds, and neighbours would be one. */
export function inodeOf(bytes: string): string {
  const { dev, ino } = lstatSync(hostPathOf(bytes), { bigint: true });
  return `${dev}:${ino}`;
}

/** A byte string for people: UTF-8 where it is UTF-8. */
export function readable(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/**
 * The entries of `roots`, in the order of `roots`.
 *
 * @throws StagerError DROPLET_PACK_FAILED when something can't be read or vanishes.
 */
export function* walkRoots(roots: readonly ContentRoot[], options: WalkOptions): Generator<TreeEntry> {
  const walk = new Walk(options);
  for (const root of roots) yield* walk.root(root);
}

class Walk {
  readonly #options: WalkOptions;
  /** `dev:ino` → name of the first entry, for files with several links. */
  readonly #linked = new Map<string, string>();

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *root(root: ContentRoot): Generator<TreeEntry> {
    const name = Buffer.from(root.archivePath, 'utf8').toString('latin1');
    switch (root.kind) {
      case 'directory':
        yield this.#entry({ name: `${name}/`, type: 'directory', mode: 0o755 });
        return;
      case 'file':
        yield {
          ...this.#entry({ name, type: 'file', mode: 0o644, size: root.content.length }),
          content: root.content,
        };
        return;
      case 'tree': {
        // With a slash at its end a link to a directory is followed: the operator chose the root.
        const host = Buffer.from(`${root.hostPath}/`, 'utf8').toString('latin1');
        const stats = lstatOrAbsent(host);
        if (stats === undefined && root.optional === true) {
          yield this.#entry({ name: `${name}/`, type: 'directory', mode: 0o755 });
          return;
        }
        if (stats === undefined || !stats.isDirectory()) throw unreadable(host, 'is not a directory');
        yield* this.#directory(`${name}/`, host, stats);
      }
    }
  }

  *#directory(name: string, host: string, stats: Stats): Generator<TreeEntry> {
    yield this.#entry({ name, type: 'directory', mode: stats.mode });
    yield* this.#inside(name, host, () => this.#names(host, stats));
  }

  *#inside(name: string, host: string, list: () => string[]): Generator<TreeEntry> {
    const known = this.#options.known?.childrenOf(host);
    const names = known?.whole === true ? [...known.children.keys()].sort(byBytes) : list();
    for (const child of names) {
      if (this.#options.leaveOut?.(name + child) === true) continue;
      const found = known?.children.get(child);
      if (found === undefined) yield* this.#looked(name + child, host + child);
      else yield* this.#known(name + child, host + child, found);
    }
  }

  *#looked(name: string, host: string): Generator<TreeEntry> {
    const stats = lstatOrAbsent(host);
    if (stats === undefined) throw unreadable(host, 'vanished while it was packed');
    if (stats.isFile()) yield this.#file(name, host, stats);
    else if (stats.isDirectory()) yield* this.#directory(`${name}/`, `${host}/`, stats);
    else if (stats.isSymbolicLink()) yield this.#symlink(name, host);
    else this.#options.onSkipped(readable(name), `is ${kindOf(stats)}`);
  }

  /** As it would have been found; of a directory all that is in it is known as well. */
  *#known(name: string, host: string, child: KnownChild): Generator<TreeEntry> {
    if (child.kind === 'directory') {
      yield this.#entry({ name: `${name}/`, type: 'directory', mode: child.mode });
      yield* this.#inside(`${name}/`, `${host}/`, () => []);
    } else if (child.kind === 'symlink') {
      yield this.#entry({ name, type: 'symlink', mode: 0o777, link: child.target });
    } else {
      const { size, sha256 } = child;
      const [mode, mtime] = [child.mode & KEPT_MODE, this.#options.sourceDateEpoch ?? child.mtime];
      // In one piece: most entries of a large app are made here.
      yield { name, type: 'file', mode, size, mtime, link: '', host, sha256 };
    }
  }

  #file(name: string, host: string, stats: Stats): TreeEntry {
    if (stats.nlink > 1) {
      const identity = looked(host, () => inodeOf(host));
      const first = this.#linked.get(identity);
      if (first !== undefined) return this.#entry({ name, type: 'hardlink', mode: stats.mode, link: first });
      this.#linked.set(identity, name);
    }
    const mtime = Math.floor(stats.mtimeMs / 1000);
    return { ...this.#entry({ name, type: 'file', mode: stats.mode, size: stats.size, mtime }), host };
  }

  #symlink(name: string, host: string): TreeEntry {
    const link = looked(host, () => readlinkSync(hostPathOf(host), { encoding: 'latin1' }));
    return this.#entry({ name, type: 'symlink', mode: 0o777, link });
  }

  #entry(parts: Partial<TarEntry> & Pick<TarEntry, 'name' | 'type' | 'mode'>): TreeEntry {
    return {
      name: parts.name,
      type: parts.type,
      mode: parts.mode & KEPT_MODE,
      size: parts.size ?? 0,
      mtime: this.#options.sourceDateEpoch ?? parts.mtime ?? NEUTRAL_TIME,
      link: parts.link ?? '',
      host: '',
    };
  }

  /** The names in a directory, sorted. One that its owner may not read is opened up until all is packed. */
  #names(host: string, stats: Stats): string[] {
    const path = hostPathOf(host);
    try {
      return readdirSync(path, { encoding: 'latin1' }).sort(byBytes);
    } catch (error) {
      if (errnoOf(error) !== 'EACCES') throw unreadable(host, 'could not be read', error);
    }
    try {
      chmodSync(path, (stats.mode & 0o7777) | 0o500);
      this.#options.atEnd(() => chmodSync(path, stats.mode & 0o7777));
      return readdirSync(path, { encoding: 'latin1' }).sort(byBytes);
    } catch (error) {
      throw unreadable(host, 'could not be read', error);
    }
  }
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lstatOrAbsent(host: string): Stats | undefined {
  return looked(host, () => lstatSync(hostPathOf(host), { throwIfNoEntry: false }));
}

function looked<T>(host: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw unreadable(host, 'could not be read', error);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a named pipe';
  return 'a device';
}

function unreadable(host: string, what: string, cause?: unknown): StagerError {
  if (errnoOf(cause) === 'ENAMETOOLONG') {
    const path = `${readable(host).slice(0, 200)}…`;
    return new StagerError('DROPLET_PACK_FAILED', `${path} is nested deeper than a path can be long`, {
      next: 'Put what is in there into fewer directories, or give them shorter names.',
      details: { path },
      cause,
    });
  }
  return new StagerError('DROPLET_PACK_FAILED', `${readable(host)} ${what}`, {
    next: 'Make sure that nothing changes the workspace while it is packed.',
    details: { path: readable(host) },
    cause,
  });
}
