/** What an earlier staging made out of the same input, kept in CACHE_DIR: then nothing has to be done again. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { copy } from './copy.ts';
import { errnoOf } from './failure.ts';
import { isThere } from './files.ts';
import { hasTar, packTar, unpackTar } from './tar-tool.ts';

/** Up to this size a file is read in one piece. */
const SMALL = 4 * 1024 * 1024;

/** One kept result, `CACHE_DIR/kept/<name>`. The next one replaces it, so it does not grow. */
export class Kept {
  readonly #dir: string;
  readonly #key: string;

  private constructor(dir: string, key: string) {
    this.#dir = dir;
    this.#key = key;
  }

  /**
   * For a result that follows from `facts` (versions, options, stack) and the content of `paths`; missing ones count
   * as such. `leaveOut` names entries that don't matter, at any depth, `except` some by their whole paths.
   */
  static async of(
    cacheDir: string,
    name: string,
    from: {
      readonly facts: readonly unknown[];
      readonly paths: readonly string[];
      readonly leaveOut?: readonly string[];
      readonly except?: readonly string[];
    },
  ): Promise<Kept> {
    const hash = createHash('sha256').update(JSON.stringify(from.facts));
    const [leaveOut, except] = [new Set(from.leaveOut), new Set(from.except)];
    const matters = (path: string): boolean => !leaveOut.has(basename(path)) && !except.has(path);
    for (const path of from.paths) await addTree(hash, path, '', matters);
    return new Kept(join(cacheDir, 'kept', name), hash.digest('hex'));
  }

  /** What it follows from, as one digest. */
  get key(): string {
    return this.#key;
  }

  /** Where a file that was kept lies. It is not to be changed. */
  path(name: string): string {
    return join(this.#dir, name);
  }

  /** Whether {@link restore} would find it. */
  async isThere(): Promise<boolean> {
    return (await readFile(join(this.#dir, 'key'), 'utf8').catch(() => '')) === this.#key;
  }

  /** Puts back what was kept, each under its name in `to`; false when there is nothing of this key. */
  async restore(to: Readonly<Record<string, string>>): Promise<boolean> {
    if (!(await this.isThere())) return false;
    for (const [name, path] of Object.entries(to)) {
      const kept = this.path(name);
      // What else lies there stays: it was part of the input.
      if (await isThere(`${kept}.tar`)) await unpackTar(`${kept}.tar`, path);
      else await copy(kept, path);
    }
    return true;
  }

  /** Keeps these, in place of what was kept before: files as they are, of a directory one tar. */
  async keep(from: Readonly<Record<string, string>>): Promise<void> {
    const mayPack = await hasTar();
    await this.keepWritten(async (dir) => {
      for (const [name, path] of Object.entries(from)) {
        const to = join(dir, name);
        if (mayPack && (await lstat(path)).isDirectory()) await packTar(path, `${to}.tar`);
        else await copy(path, to);
      }
    });
  }

  /** Keeps what `write` puts into an empty directory, in place of what was kept before. */
  async keepWritten(write: (dir: string) => Promise<void>): Promise<void> {
    const fresh = `${this.#dir}.new`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await write(fresh);
    await writeFile(join(fresh, 'key'), this.#key);
    await rm(this.#dir, { recursive: true, force: true });
    await rename(fresh, this.#dir);
  }
}

async function addTree(
  hash: Hash,
  root: string,
  path: string,
  matters: (path: string) => boolean,
): Promise<void> {
  const at = join(root, path);
  try {
    const stats = await lstat(at);
    const runs = (stats.mode & 0o100) === 0 ? '' : 'x';
    if (stats.isSymbolicLink()) hash.update(`l ${path}\0${await readlink(at)}\0`);
    else if (!stats.isDirectory()) {
      hash.update(`f${runs} ${path}\0${stats.size}\0`);
      if (stats.size <= SMALL) hash.update(await readFile(at));
      else for await (const chunk of createReadStream(at)) hash.update(chunk);
    } else {
      for (const name of (await readdir(at)).sort()) {
        const below = join(path, name);
        if (matters(below)) await addTree(hash, root, below, matters);
      }
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    hash.update(`- ${path}\0`);
  }
}
