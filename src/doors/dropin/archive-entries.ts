/**
 * The entries that `cp -a` followed by GNU `tar -czf` would make of directories on disk, without the copy: owners,
 * times, modes with set-uid, pipes and devices as they are, sockets left out. `src/staging/droplet/tar/tree-walk.ts` makes
 * droplets that depend on nothing but their content; a drop-in has to make the ones that the harness knows.
 */
import {
  accessSync,
  constants,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { getegid, geteuid, getgroups } from 'node:process';
import type { TarOwner } from '../../staging/droplet/tar/tar-header.ts';
import { hostPathOf, inodeOf, readable, type TreeEntry } from '../../staging/droplet/tar/tree-walk.ts';
import { errnoText } from './go/errno.ts';

/** One tree. */
export interface ArchiveRoot {
  readonly hostPath: string;
  /** `.`, or `./app` for a copy that goes below the first root. */
  readonly archivePath: string;
  /** True for what `cp -a` copied: it belongs to the running user unless that is root. */
  readonly copied: boolean;
  /** False when a link at `hostPath` is followed. */
  readonly keepLink: boolean;
}

/** The entries of `roots`, each a directory before what is in it, names by their bytes. `output` is left out. */
export function* archiveEntries(roots: readonly ArchiveRoot[], output: Stats): Generator<TreeEntry> {
  const names = new OwnerNames();
  for (const root of roots) yield* new ArchiveWalk(root, names, output).entries();
}

class ArchiveWalk {
  readonly #root: ArchiveRoot;
  readonly #names: OwnerNames;
  readonly #output: Stats;
  readonly #linked = new Map<string, string>();

  constructor(root: ArchiveRoot, names: OwnerNames, output: Stats) {
    this.#root = root;
    this.#names = names;
    this.#output = output;
  }

  *entries(): Generator<TreeEntry> {
    const host = Buffer.from(this.#root.hostPath).toString('latin1');
    const start = this.#root.keepLink ? host : `${host}/`;
    yield* this.#node(this.#root.archivePath, start, lstatSync(hostPathOf(start)));
  }

  *#node(name: string, host: string, stats: Stats): Generator<TreeEntry> {
    if (stats.isDirectory()) {
      yield this.#entry(`${name}/`, 'directory', stats);
      const below = host.endsWith('/') ? host : `${host}/`;
      for (const child of readdirSync(hostPathOf(host), { encoding: 'latin1' }).sort(byBytes)) {
        const childStats = lstatSync(hostPathOf(below + child));
        yield* this.#node(`${name}/${child}`, below + child, childStats);
      }
      return;
    }
    if (stats.isSocket() || this.#isOutput(stats)) return;
    const first = this.#firstLink(name, host, stats);
    if (first !== undefined) yield { ...this.#entry(name, 'hardlink', stats), link: first };
    else yield this.#leaf(name, host, stats);
  }

  #leaf(name: string, host: string, stats: Stats): TreeEntry {
    if (stats.isSymbolicLink()) {
      const link = readlinkSync(hostPathOf(host), { encoding: 'latin1' });
      return { ...this.#entry(name, 'symlink', stats), link };
    }
    if (stats.isFile()) return { ...this.#entry(name, 'file', stats), size: stats.size, host };
    if (stats.isFIFO()) return this.#entry(name, 'fifo', stats);
    const type = stats.isCharacterDevice() ? 'character' : 'block';
    return { ...this.#entry(name, type, stats), device: deviceNumbers(stats.rdev) };
  }

  /** Name of the entry that holds this file already; a copy of a tree keeps the links in it. */
  #firstLink(name: string, host: string, stats: Stats): string | undefined {
    if (stats.nlink < 2) return undefined;
    const identity = inodeOf(host);
    const first = this.#linked.get(identity);
    if (first === undefined) this.#linked.set(identity, name);
    return first;
  }

  #isOutput(stats: Stats): boolean {
    return stats.isFile() && stats.ino === this.#output.ino && stats.dev === this.#output.dev;
  }

  #entry(name: string, type: TreeEntry['type'], stats: Stats): TreeEntry {
    const mtime = Math.floor(stats.mtimeMs / 1000);
    const owner = this.#names.ownerOf(stats, this.#root.copied);
    return { name, type, mode: stats.mode & 0o7777, size: 0, mtime, link: '', host: '', owner };
  }
}

/** Names of users and groups, from /etc/passwd and /etc/group as they are at the start. */
class OwnerNames {
  readonly #users = readNames('/etc/passwd');
  readonly #groups = readNames('/etc/group');
  readonly #uid = geteuid?.() ?? 0;
  readonly #gid = getegid?.() ?? 0;
  readonly #memberships = new Set(getgroups?.() ?? []);

  ownerOf(stats: Stats, copied: boolean): TarOwner {
    const foreign = copied && this.#uid !== 0;
    const uid = foreign ? this.#uid : stats.uid;
    const gid = foreign && !this.#memberships.has(stats.gid) ? this.#gid : stats.gid;
    return { uid, gid, user: this.#users.get(uid) ?? '', group: this.#groups.get(gid) ?? '' };
  }
}

function readNames(path: string): ReadonlyMap<number, string> {
  let text = '';
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    // Without the file, entries carry numbers only, as tar does.
  }
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name !== undefined && id !== undefined && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

function deviceNumbers(rdev: number): { readonly major: number; readonly minor: number } {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return { major: Number(major), minor: Number(minor) };
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What the running user may not read below `hostPath`, as `path: reason`. Root reads everything. */
export function unreadableBelow(hostPath: string): readonly UnreadablePath[] {
  if ((geteuid?.() ?? 0) === 0) return [];
  const found: UnreadablePath[] = [];
  const visit = (host: string): void => {
    const stats = lstatSync(hostPathOf(host));
    if (!stats.isFile() && !stats.isDirectory()) return;
    try {
      accessSync(hostPathOf(host), stats.isFile() ? constants.R_OK : constants.R_OK | constants.X_OK);
    } catch (error) {
      found.push({ path: readable(host), directory: stats.isDirectory(), reason: capital(errnoText(error)) });
      return;
    }
    if (!stats.isDirectory()) return;
    for (const child of readdirSync(hostPathOf(host), { encoding: 'latin1' })) visit(`${host}/${child}`);
  };
  visit(Buffer.from(hostPath).toString('latin1'));
  return found;
}

/** Something that can't be read. */
export interface UnreadablePath {
  readonly path: string;
  readonly directory: boolean;
  /** `Permission denied`. */
  readonly reason: string;
}

/** The C library's words begin with a capital, Go's do not. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
