/**
 * Writes files, directories and links below one root, and never anywhere else.
 *
 * Entries come from hostile archives. Every name was parsed (no `..`, not absolute), every parent is either a
 * directory this writer made or is looked at without following links, and files are created with O_EXCL, so
 * nothing is written through a link, over a file, or into a pipe. Calls are synchronous for the reason in
 * host/pace.ts.
 */

import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { Owner } from '../../machine/host/owner.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import type { RelPath } from '../../words/ids.ts';
import { fileTime } from '../../words/units.ts';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** What a file ends up with. `mtimeMs` since the epoch. */
export interface FileFacts {
  readonly mode: number;
  readonly mtimeMs: number;
}

/** One tree. Directory modes and times are set by {@link TreeWriter.finish}. */
export class TreeWriter {
  readonly #root: string;
  readonly #owner: Owner | undefined;
  /** Directories that exist and are ours: path → what they get in the end. */
  readonly #directories = new Map<string, FileFacts | undefined>();

  /** @param root exists, and is a directory. */
  constructor(root: string, owner: Owner | undefined) {
    this.#root = root;
    this.#owner = owner;
  }

  /** Directories made so far, implied parents included. */
  get directoryCount(): number {
    return this.#directories.size;
  }

  directory(path: RelPath, facts: FileFacts): void {
    this.#ensure(path);
    this.#directories.set(path, facts);
  }

  symlink(path: RelPath, target: string, mtimeMs: number): void {
    const host = this.place(path);
    this.#creating(path, () => symlinkSync(target, host));
    if (this.#owner !== undefined) lchownSync(host, this.#owner.uid, this.#owner.gid);
    const time = fileTime(mtimeMs / 1000);
    lutimesSync(host, time, time);
  }

  /** Makes the file's parents; the file itself must be created with O_EXCL. @returns its host path. */
  place(path: RelPath): string {
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#ensure(path.slice(0, slash));
    return `${this.#root}/${path}`;
  }

  /** Creates a file for writing. @returns its descriptor, which {@link TreeWriter.close} ends. */
  create(path: RelPath): number {
    const host = this.place(path);
    return this.#creating(path, () => openSync(host, CREATE, 0o600));
  }

  /** Sets owner, mode and time, and closes. */
  close(descriptor: number, facts: FileFacts): void {
    try {
      if (this.#owner !== undefined) fchownSync(descriptor, this.#owner.uid, this.#owner.gid);
      fchmodSync(descriptor, facts.mode & 0o777);
      const time = fileTime(facts.mtimeMs / 1000);
      futimesSync(descriptor, time, time);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Sets the directories' modes and times, deepest first: a mode may take away the way in, writing sets times. */
  finish(): void {
    for (const [path, facts] of [...this.#directories].toReversed()) {
      const host = `${this.#root}/${path}`;
      chmodSync(host, (facts?.mode ?? 0o755) & 0o777);
      const time = fileTime((facts?.mtimeMs ?? 0) / 1000);
      if (facts !== undefined) utimesSync(host, time, time);
    }
  }

  #ensure(path: string): void {
    if (this.#directories.has(path)) return;
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#ensure(path.slice(0, slash));
    const host = `${this.#root}/${path}`;
    try {
      mkdirSync(host, 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw asWriteError(path, error);
      if (!lstatSync(host).isDirectory()) throw occupied(path);
    }
    if (this.#owner !== undefined) lchownSync(host, this.#owner.uid, this.#owner.gid);
    this.#directories.set(path, undefined);
  }

  #creating<T>(path: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw asWriteError(path, error);
    }
  }
}

/** Writes all of `bytes`. */
export function writeFully(descriptor: number, bytes: Uint8Array, path: string): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at);
  } catch (error) {
    throw asWriteError(path, error);
  }
}

/** The failure for a system error of a write into a workspace. */
export function asWriteError(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'EEXIST' || errno === 'ELOOP' || errno === 'EISDIR') return occupied(path);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new StagerError('HOST_DISK_FULL', `no space left in the workspace while ${path} was written`, {
      next: 'Free space, or choose another directory for workspaces.',
      details: { path },
      cause: error,
    });
  }
  if (errno === 'ENAMETOOLONG') {
    return new StagerError('SOURCE_UNSAFE', `${path} is a path too long for this machine`, {
      next: 'Shorten the names of its directories.',
      details: { path },
      cause: error,
    });
  }
  return error;
}

function occupied(path: string): StagerError {
  return new StagerError(
    'SOURCE_UNSAFE',
    `${path} would overwrite, or write through, something that is already there`,
    {
      next: 'Remove the duplicate entry or the link of that name from the source.',
      details: { path },
    },
  );
}
