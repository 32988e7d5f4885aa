/**
 * The package manager's cache between stagings. It lies in CACHE_DIR as one tar, which is restored sooner than thousands
 * of files, and is unpacked when a manager is started: most restagings start none.
 */
import { readdirSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  errnoOf,
  hasTar,
  isThere,
  type Log,
  packTar,
  pruneCache,
  unpackTar,
} from '../../kit/index.ts';
import { CACHE_FOLDERS } from './commands.ts';
import type { ManagerName } from './manager.ts';

/** What of npm's cache says that it has something new: its index has a line with the time for every installation. */
const NEW_IN_NPM = '_cacache/content-v2';

/** Used once in a staging. */
export class PackageCache {
  readonly #cacheDir: string;
  readonly #used: ManagerName;
  readonly #io: { readonly log: Log; readonly limit: string | undefined };
  #opened: Promise<readonly string[]> | undefined;

  constructor(
    cacheDir: string,
    used: ManagerName,
    io: { readonly log: Log; readonly limit: string | undefined },
  ) {
    this.#cacheDir = cacheDir;
    this.#used = used;
    this.#io = io;
  }

  /** To be called before a manager is started. */
  async open(): Promise<void> {
    this.#opened ??= this.#open();
    await this.#opened;
  }

  /**
   * Packs what is new, and drops caches of managers that the app does not use, and the used one when it has grown above the
   * limit (MB, NODE_CACHE_LIMIT_MB): caches only grow, and entries that are out of use can't be told from the others. So
   * are the kept packages. Without anything new the tar stays as it is and need not be stored again.
   */
  async close(): Promise<void> {
    for (const [name, folder] of Object.entries(CACHE_FOLDERS)) {
      if (name !== this.#used) for (const path of [folder, `${folder}.tar`]) await this.#drop(path);
    }
    await this.#pack();
    const folder = CACHE_FOLDERS[this.#used];
    for (const folders of [[folder, `${folder}.tar`], ['kept']]) {
      await pruneCache(this.#cacheDir, folders, { ...this.#io, variable: 'NODE_CACHE_LIMIT_MB' });
    }
  }

  /** @returns what it holds. */
  async #open(): Promise<readonly string[]> {
    const { dir, tar } = this.#paths();
    if (await isThere(tar)) {
      await rm(dir, { recursive: true, force: true });
      try {
        await unpackTar(tar, dir);
      } catch (error) {
        if (!(error instanceof BuildpackFailure)) throw error;
        this.#io.log.warning('The package cache could not be unpacked; packages are downloaded again.');
        for (const path of [dir, tar]) await rm(path, { recursive: true, force: true });
      }
    }
    return this.#held();
  }

  async #pack(): Promise<void> {
    const { dir, tar } = this.#paths();
    const before = await this.#opened;
    const after = this.#held();
    // Nobody started a manager, or it left nothing.
    if (after.length === 0) return await this.#drop(CACHE_FOLDERS[this.#used]);
    const isNew = before?.join('\n') !== after.join('\n');
    if (isNew || !(await isThere(tar))) {
      // Without tar it stays as it is, and the next staging finds it so.
      if (!(await hasTar())) return;
      await packTar(dir, `${tar}.new`);
      await rename(`${tar}.new`, tar);
    }
    await this.#drop(CACHE_FOLDERS[this.#used]);
  }

  /** Paths and sizes below, sorted: files of these caches are named by what is in them. */
  #held(): readonly string[] {
    const { dir } = this.#paths();
    const root = this.#used === 'npm' ? join(dir, NEW_IN_NPM) : dir;
    const found: string[] = [];
    // Synchronous: nothing else runs in this process, and a promise for each of thousands of files takes far longer.
    for (const path of namesBelow(root)) {
      const facts = statSync(join(root, path), { throwIfNoEntry: false });
      if (facts?.isFile() === true) found.push(`${path} ${facts.size}`);
    }
    return found.sort();
  }

  async #drop(path: string): Promise<void> {
    await rm(join(this.#cacheDir, path), { recursive: true, force: true });
  }

  #paths() {
    const dir = join(this.#cacheDir, CACHE_FOLDERS[this.#used]);
    return { dir, tar: `${dir}.tar` };
  }
}

function namesBelow(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
