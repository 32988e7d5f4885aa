/**
 * Writes files below one directory, and never through a link: the directories above a file are made one by one and
 * must be real, and a file is only ever created. No link is made while this runs (unpack-later.ts).
 */

import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import { errnoOf } from '../../../words/errors.ts';
import { fileTime } from '../../../words/units.ts';
import { type ParsedEntry, Refused } from '../tar/tar-parse.ts';
import { hostPathOf, readable } from '../tar/tree-walk.ts';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** A thread's heap is small (worker-pool.ts); a directory that was forgotten costs two system calls. */
const MAX_REMEMBERED = 20_000;
const REOPEN = constants.O_WRONLY | constants.O_NOFOLLOW;

/** A system call that failed, with the path it was for. */
export class Failed extends Error {
  readonly errno: string;
  readonly path: string;

  constructor(path: string, error: unknown) {
    super(path, { cause: error });
    this.errno = errnoOf(error) ?? String(error);
    this.path = readable(path);
  }
}

/** Paths are clean byte strings relative to the directory. Synchronous: it runs in worker threads, and in the main one for little. */
export class UnpackTarget {
  readonly #root: string;
  readonly #owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Made or checked by this thread. */
  readonly #real = new Set<string>();

  /** `root` is a byte string without a slash at its end. */
  constructor(root: string, owner: { readonly uid: number; readonly gid: number } | undefined) {
    this.#root = root;
    this.#owner = owner;
  }

  /** Makes a file with its content, owner, mode and time. @throws Refused when it exists; Failed. */
  write(entry: ParsedEntry, bytes: Buffer): void {
    const fd = this.#create(entry.path);
    this.#using(fd, entry.path, () => {
      writeAll(fd, bytes, 0);
      this.#dress(fd, entry);
    });
  }

  /** Makes a file that {@link writePiece} fills and {@link finish} ends. */
  createEmpty(path: string): void {
    closeSync(this.#create(path));
  }

  writePiece(path: string, bytes: Buffer, offset: number): void {
    const fd = this.#reopen(path);
    this.#using(fd, path, () => writeAll(fd, bytes, offset));
  }

  finish(entry: ParsedEntry): void {
    const fd = this.#reopen(entry.path);
    this.#using(fd, entry.path, () => this.#dress(fd, entry));
  }

  /** Makes a directory and those above it; every one must be a directory itself, not a link to one. */
  makeDirectory(path: string): void {
    if (path === '' || this.#real.has(path)) return;
    this.makeDirectory(parentOf(path));
    const host = this.#host(path);
    try {
      mkdirSync(host, 0o755);
      if (this.#owner !== undefined) chownSync(host, this.#owner.uid, this.#owner.gid);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw new Failed(path, error);
      if (!lstatSync(host).isDirectory()) {
        throw new Refused(`${readable(path)} is used as a directory and as something else`);
      }
    }
    if (this.#real.size >= MAX_REMEMBERED) this.#real.clear();
    this.#real.add(path);
  }

  #create(path: string): number {
    this.makeDirectory(parentOf(path));
    try {
      return openSync(this.#host(path), CREATE, 0o600);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') {
        throw new Refused(`${readable(path)} exists already or is in it twice`);
      }
      throw new Failed(path, error);
    }
  }

  #reopen(path: string): number {
    try {
      return openSync(this.#host(path), REOPEN);
    } catch (error) {
      throw new Failed(path, error);
    }
  }

  /** Owner before mode, since a change of owner clears bits; time last, since all else changes it. */
  #dress(fd: number, entry: ParsedEntry): void {
    if (this.#owner !== undefined) fchownSync(fd, this.#owner.uid, this.#owner.gid);
    fchmodSync(fd, entry.mode);
    const time = fileTime(entry.mtime);
    futimesSync(fd, time, time);
  }

  #using(fd: number, path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw new Failed(path, error);
    } finally {
      closeSync(fd);
    }
  }

  #host(path: string): string | Buffer {
    return hostPathOf(`${this.#root}/${path}`);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
