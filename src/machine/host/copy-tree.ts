/** Copies a directory tree: modes and links kept, reflinked where the file system can, cancellable. */
import {
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfCancelled } from '../../words/errors.ts';
import { needsChown, type Owner } from './owner.ts';
import { Pace } from './pace.ts';

/** Bytes of a file from which it is copied by a thread, so that the event loop is not held up. */
const LARGE = 256 * 1024;
/** Set-id bits never travel. */
const MODE_BITS = 0o777;

/** How to copy. */
export interface CopyOptions {
  readonly signal: AbortSignal;
  /** Who the copy belongs to; by default, whoever copies. */
  readonly owner?: Owner;
  /** Top-level names that are left out, such as `.git`. */
  readonly skip?: ReadonlySet<string>;
  /** Called for entries that are neither file, directory nor link; they are left out. */
  readonly onSpecial?: (path: string) => void;
}

/**
 * Copies `from` to `to`, which must not exist. Directories stay writable for their owner, so that a copy can be
 * removed again. Links are copied as links and never followed.
 */
export async function copyTree(from: string, to: string, options: CopyOptions): Promise<void> {
  throwIfCancelled(options.signal);
  await new Copy(options).directory(from, to, options.skip);
}

class Copy {
  readonly #options: CopyOptions;
  readonly #pace: Pace;

  constructor(options: CopyOptions) {
    this.#options = options;
    this.#pace = new Pace(options.signal);
  }

  async directory(from: string, to: string, skip?: ReadonlySet<string>): Promise<void> {
    const facts = statSync(from);
    mkdirSync(to, { mode: 0o700 });
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (skip?.has(entry.name) === true) continue;
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (this.#pace.spent) await this.#pace.rest();
      if (entry.isDirectory()) await this.directory(source, target);
      else if (entry.isFile()) await this.#file(source, target);
      else if (entry.isSymbolicLink()) {
        symlinkSync(readlinkSync(source), target);
        this.#give(target);
      } else this.#options.onSpecial?.(source);
    }
    utimesSync(to, facts.atime, facts.mtime);
    chmodSync(to, (facts.mode & MODE_BITS) | 0o700);
    this.#give(to);
  }

  async #file(source: string, target: string): Promise<void> {
    const how = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL;
    const facts = statSync(source);
    if (facts.size < LARGE) copyFileSync(source, target, how);
    else {
      await copyFile(source, target, how);
      throwIfCancelled(this.#options.signal);
    }
    chmodSync(target, facts.mode & MODE_BITS);
    utimesSync(target, facts.atime, facts.mtime);
    this.#give(target);
  }

  #give(path: string): void {
    const { owner } = this.#options;
    if (owner !== undefined && needsChown(owner)) lchownSync(path, owner.uid, owner.gid);
  }
}
