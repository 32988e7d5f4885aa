/**
 * What a path inside the sandbox is on the host, before the sandbox exists.
 *
 * Symbolic links are followed as the kernel will follow them inside: an absolute link starts again at the
 * sandbox's root, so that no link of an app or a stack makes us look at a file of the host that it can't see.
 */
import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { errnoOf } from '../../../words/errors.ts';

/** A directory or file of the host and where it is seen. */
export interface ViewMount {
  readonly source: string;
  readonly target: string;
}

/** A file that a path inside leads to. */
export interface InsideFile {
  /** Path inside, without links. */
  readonly inside: string;
  /** Its path on the host; the last component is not a link. */
  readonly host: string;
  readonly stats: Stats;
}

/** Why a path leads nowhere. */
export interface Unresolved {
  readonly missing: 'ENOENT' | 'ENOTDIR' | 'ELOOP';
  /** The component inside that failed. */
  readonly at: string;
}

const MAX_LINKS = 40;

/** The composed root as a set of mounts over a directory. */
export class InsideView {
  readonly #root: string;
  readonly #mounts: readonly ViewMount[];

  /**
   * @param root host directory of the composed root
   * @param mounts what is mounted in it; a later mount covers an earlier one of the same target
   */
  constructor(root: string, mounts: readonly ViewMount[]) {
    this.#root = root;
    this.#mounts = [...mounts].reverse().sort((a, b) => b.target.length - a.target.length);
  }

  /** Host path of an inside path that contains no link. */
  hostPath(inside: string): string {
    for (const mount of this.#mounts) {
      if (inside === mount.target) return mount.source;
      if (inside.startsWith(`${mount.target}/`)) return join(mount.source, inside.slice(mount.target.length));
    }
    return join(this.#root, inside);
  }

  /** Follows `path` (absolute, inside) to the file that it names. */
  async resolve(path: string): Promise<InsideFile | Unresolved> {
    const pending = path.split('/').reverse();
    let current = '/';
    let stats = await lstat(this.hostPath('/'));
    let links = 0;
    while (pending.length > 0) {
      const name = pending.pop();
      if (name === undefined || name === '' || name === '.') continue;
      if (!stats.isDirectory()) return { missing: 'ENOTDIR', at: current };
      const next = name === '..' ? posix.dirname(current) : posix.join(current, name);
      const found = await lstatOrWhy(this.hostPath(next));
      if (typeof found === 'string') return { missing: found, at: next };
      if (found.isSymbolicLink()) {
        links += 1;
        if (links > MAX_LINKS) return { missing: 'ELOOP', at: next };
        const target = await readlink(this.hostPath(next));
        pending.push(...target.split('/').reverse());
        if (!target.startsWith('/')) continue;
        current = '/';
        stats = await lstat(this.hostPath('/'));
        continue;
      }
      current = next;
      stats = found;
    }
    return { inside: current, host: this.hostPath(current), stats };
  }
}

async function lstatOrWhy(path: string): Promise<Stats | 'ENOENT' | 'ENOTDIR' | 'ELOOP'> {
  try {
    return await lstat(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return errno;
    if (errno === 'ENAMETOOLONG') return 'ENOENT';
    throw error;
  }
}
