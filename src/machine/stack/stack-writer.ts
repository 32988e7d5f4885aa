/**
 * Writes the entries of root file systems and image layers below one directory, and nowhere else.
 *
 * Layers may go through links (`bin/sh` where `/bin` is a link to `usr/bin`), so links are followed as they
 * will be inside the stack: from the tree's own root. Nobody else writes to the tree meanwhile. Device nodes,
 * pipes and sockets are left out, and set-id bits, owners and extended attributes are dropped.
 */
import { createWriteStream } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { InsideView } from '../sandbox/child/inside-view.ts';

/** One entry of an archive or a directory. */
export interface StackEntry {
  /** As it stands in the archive. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'special';
  readonly mode: number;
  /** Of links: the target as it stands in the archive. */
  readonly target?: string;
  readonly content?: AsyncIterable<Buffer>;
}

/** What a tree may hold. */
export interface TreeLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/** Far above any stack, low enough that a bomb ends. */
const DEFAULT_TREE_LIMITS: TreeLimits = { maxEntries: 3_000_000, maxBytes: 64 * 1024 ** 3 };

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** Permission bits and the sticky bit; no set-user-id, no set-group-id. */
const MODE_BITS = 0o1777;

/** One tree; see the top of the file. */
export class StackWriter {
  readonly #root: string;
  readonly #view: InsideView;
  readonly #limits: TreeLimits;
  readonly #directoryModes = new Map<string, number>();
  /** Parents that are known: path in the tree → without links. Emptied when something is replaced. */
  readonly #parents = new Map<string, string>();
  #written: Set<string> | undefined;
  #entries = 0;
  #bytes = 0;

  /** @param root an existing, empty, private directory. */
  constructor(root: string, limits: TreeLimits = DEFAULT_TREE_LIMITS) {
    this.#root = root;
    this.#view = new InsideView(root, []);
    this.#limits = limits;
  }

  /** From here on the entries are a layer over what is there: `.wh.` names remove. */
  beginLayer(): void {
    this.#written = new Set();
  }

  /**
   * Writes one entry. Content that it has no use for is left unread.
   *
   * @throws StagerError STACK_INVALID when the entry would lead out of the tree or a limit is passed.
   */
  async write(entry: StackEntry): Promise<void> {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw invalid(`more than ${this.#limits.maxEntries} entries`, entry.path);
    }
    const path = cleanPath(entry.path);
    if (path === '/' || entry.kind === 'special') return;
    const parent = await this.#parent(posix.dirname(path), entry.path);
    const name = posix.basename(path);
    const at = posix.join(parent, name);
    if (this.#written !== undefined && name.startsWith(WHITEOUT)) {
      return await this.#whiteout(parent, name, entry.path);
    }
    this.#written?.add(at);
    await this.#place(entry, at);
  }

  /** Sets the modes of directories; they could have kept their own entries out. */
  async finish(): Promise<{ readonly entries: number; readonly bytes: number }> {
    for (const [path, mode] of this.#directoryModes) await chmod(this.#host(path), mode);
    return { entries: this.#entries, bytes: this.#bytes };
  }

  #host(path: string): string {
    return join(this.#root, path);
  }

  async #place(entry: StackEntry, at: string): Promise<void> {
    const host = this.#host(at);
    const there = await lstat(host).catch(absent);
    if (entry.kind === 'directory') {
      if (there?.isDirectory() !== true) {
        if (there !== undefined) await this.#remove(at);
        await mkdir(host, { mode: 0o755 });
      }
      this.#directoryModes.set(at, (entry.mode & MODE_BITS) | 0o700);
      return;
    }
    if (entry.kind === 'hardlink') return await this.#hardlink(entry, at);
    if (there !== undefined) await this.#remove(at);
    if (entry.kind === 'symlink') return await symlink(entry.target ?? '', host);
    await this.#file(entry, host);
  }

  async #file(entry: StackEntry, host: string): Promise<void> {
    if (entry.content === undefined) throw new Error(`a file entry has content: ${entry.path}`);
    const tally = new Transform({
      transform: (chunk: Buffer, _, done) => {
        this.#bytes += chunk.length;
        const tooMany = this.#bytes > this.#limits.maxBytes;
        if (tooMany) done(invalid(`more than ${this.#limits.maxBytes} bytes`, entry.path));
        else done(null, chunk);
      },
    });
    await pipeline(entry.content, tally, createWriteStream(host, { flags: 'wx', mode: 0o600 }));
    await chmod(host, (entry.mode & MODE_BITS) | 0o400);
  }

  async #hardlink(entry: StackEntry, at: string): Promise<void> {
    const target = cleanPath(entry.target ?? '');
    const parent = await this.#parent(posix.dirname(target), entry.path);
    const source = posix.join(parent, posix.basename(target));
    if (source === at) return;
    const stats = await lstat(this.#host(source)).catch(absent);
    if (stats === undefined || stats.isDirectory()) {
      throw invalid(`a hard link to ${entry.target}, which is not a file of the tree`, entry.path);
    }
    if ((await lstat(this.#host(at)).catch(absent)) !== undefined) await this.#remove(at);
    await link(this.#host(source), this.#host(at));
  }

  /** The directory that `path` leads to inside the tree; made where it is missing. */
  async #parent(path: string, wanted: string): Promise<string> {
    const known = this.#parents.get(path);
    if (known !== undefined) return known;
    const found = await this.#view.resolve(path);
    if ('stats' in found) {
      if (!found.stats.isDirectory()) throw invalid(`${found.inside} is not a directory`, wanted);
      this.#parents.set(path, found.inside);
      return found.inside;
    }
    if (found.missing !== 'ENOENT' || path === '/') throw invalid(`${found.at} leads nowhere`, wanted);
    const above = await this.#parent(posix.dirname(path), wanted);
    const made = posix.join(above, posix.basename(path));
    const there = await lstat(this.#host(made)).catch(absent);
    if (there !== undefined) throw invalid(`${made} is a link that leads nowhere`, wanted);
    await mkdir(this.#host(made), { mode: 0o755 });
    this.#parents.set(path, made);
    return made;
  }

  async #whiteout(parent: string, name: string, wanted: string): Promise<void> {
    if (name === OPAQUE) {
      for (const child of await readdir(this.#host(parent)))
        await this.#removeLower(posix.join(parent, child));
      return;
    }
    const hidden = name.slice(WHITEOUT.length);
    if (hidden === '' || hidden === '.' || hidden === '..')
      throw invalid('a whiteout without a name', wanted);
    await this.#remove(posix.join(parent, hidden));
  }

  /** Removes what lower layers put at `path` and keeps what this layer did. */
  async #removeLower(path: string): Promise<void> {
    const kept = [...(this.#written ?? [])].some((each) => each === path || each.startsWith(`${path}/`));
    if (!kept) return await this.#remove(path);
    const stats = await lstat(this.#host(path)).catch(absent);
    if (stats?.isDirectory() !== true) return;
    for (const child of await readdir(this.#host(path))) await this.#removeLower(posix.join(path, child));
  }

  async #remove(path: string): Promise<void> {
    this.#parents.clear();
    for (const known of this.#directoryModes.keys()) {
      if (known === path || known.startsWith(`${path}/`)) this.#directoryModes.delete(known);
    }
    await rm(this.#host(path), { recursive: true, force: true });
  }
}

/** The path in the tree: absolute ones are taken as from the tree's root, and nothing may climb. */
function cleanPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid('a path with ..', path);
  if (path.includes('\0')) throw invalid('a path with NUL', path);
  return `/${parts.join('/')}`;
}

function absent(error: unknown): undefined {
  if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
  throw error;
}

function invalid(why: string, path: string): StagerError {
  return new StagerError('STACK_INVALID', `the stack is refused: ${JSON.stringify(path)}: ${why}`, {
    next: 'Use a root file system or image that was made by debootstrap, docker save, skopeo or buildah.',
    details: { path },
  });
}
