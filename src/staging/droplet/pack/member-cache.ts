/**
 * Compressed members by the digest of their content, so that a restaging compresses only what changed.
 *
 * Only a cache: every member is verified when it is read and made again when it is missing, short,
 * altered or of another version, so the directory can be deleted at any time, also while stagings use it. Writers
 * write aside and rename; a reader sees a whole file or none. Nothing is synced: after a crash of the machine a
 * broken member is found by its checksum.
 *
 *     <dir>/<first two hex digits>/<sha256 of content>.<codec>:<level>[-piece]-<version of the codec>
 *     <dir>/tmp/<pid>-<random>
 *
 * The codec's version is in the name, since an upgrade of Node may compress the same content to other bytes.
 * A file is a magic with the format's version, the sha256 of the member, the member.
 */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { asidePath } from '../../../machine/host/process-label.ts';
import { errnoOf } from '../../../words/errors.ts';

/** Raise it whenever the bytes made from the same content may differ: our framing, or zlib's own output. */
const MAGIC = Buffer.from('SGM2');
const CHECKSUM_BYTES = 32;
const HEADER_BYTES = MAGIC.length + CHECKSUM_BYTES;
/** A hit renews a member's time at most this often. */
const TOUCH_EVERY_MS = 60 * 60 * 1000;

/** Read and write side, as the workers use it. Synchronous: it runs in worker threads only. */
export class MemberFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The member of that name, or undefined when there is no good one. */
  get(name: string): Buffer | undefined {
    const path = this.#path(name);
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return undefined;
    }
    const member = file.subarray(HEADER_BYTES);
    if (file.length < HEADER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
    const checksum = hash('sha256', member, 'buffer');
    if (!checksum.equals(file.subarray(MAGIC.length, HEADER_BYTES))) return undefined;
    this.#touch(path);
    return member;
  }

  /** Keeps `member`. Returns why it could not (disk full, no permission): a slower next time, never a failure. */
  put(name: string, member: Buffer): string | undefined {
    const aside = asidePath(join(this.#dir, 'tmp', 'member'));
    const path = this.#path(name);
    const file = Buffer.concat([MAGIC, hash('sha256', member, 'buffer'), member]);
    try {
      this.#publish(aside, path, file);
    } catch (error) {
      discard(aside);
      return errnoOf(error) ?? String(error);
    }
    return undefined;
  }

  /** The directories are made only when a first try finds them missing. */
  #publish(aside: string, path: string, file: Buffer): void {
    try {
      writeFileSync(aside, file, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      mkdirSync(join(this.#dir, 'tmp'), { recursive: true, mode: 0o700 });
      writeFileSync(aside, file, { flag: 'wx', mode: 0o600 });
    }
    try {
      renameSync(aside, path);
    } catch (error) {
      makeWay(path, errnoOf(error));
      renameSync(aside, path);
    }
  }

  /** Least recently used goes first, and access times are often not kept (noatime): so a hit sets the time. */
  #touch(path: string): void {
    try {
      const now = Date.now();
      if (now - statSync(path).mtimeMs > TOUCH_EVERY_MS) utimesSync(path, now / 1000, now / 1000);
    } catch {
      // Removed by another process's sweep meanwhile: we have its content already.
    }
  }

  #path(name: string): string {
    return join(this.#dir, name.slice(0, 2), name);
  }
}

/** For a member that could not be renamed to `path`: what is there is a cache's, and nobody misses it. */
function makeWay(path: string, errno: string | undefined): void {
  const directory = dirname(path);
  if (errno === 'EISDIR') rmSync(path, { recursive: true });
  else if (errno === 'ENOTDIR') rmSync(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where it could not be written there is nothing to remove; a sweep looks again.
  }
}
