/** A source's entries → real files, links and modes below one directory, and never outside. */
import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { copyFile, lstat } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { Owner } from '../../machine/host/owner.ts';
import { Pace } from '../../machine/host/pace.ts';
import { errnoOf, throwIfCancelled } from '../../words/errors.ts';
import type { Report } from '../../words/events.ts';
import { changedWhileRead, unreadable } from '../source/content.ts';
import type { Source, SourceEntry } from '../source/entry.ts';
import { DEFAULT_SOURCE_LIMITS, type SourceLimits, Tally } from '../source/limits.ts';
import { asWriteError, TreeWriter, writeFully } from './tree-writer.ts';

/** How {@link materialise} works. */
export interface MaterialiseOptions {
  /** Gets every file, link and directory; absent: the caller. Needs root. */
  readonly owner?: Owner;
  readonly limits?: Partial<SourceLimits>;
  readonly signal: AbortSignal;
  /** Gets `progress` events in files. */
  readonly report?: Report;
}

/** What was written. */
export interface Materialised {
  readonly files: number;
  /** Implied parents included. */
  readonly directories: number;
  readonly symlinks: number;
  /** Sum of the files' sizes. */
  readonly bytes: number;
}

/** Up to this size a file goes through one buffer; larger ones are cloned, or copied by the kernel, beside. */
const SMALL_BYTES = 262_144;
const LARGE_AT_ONCE = 4;
const FILES_PER_REPORT = 1000;

type File = Extract<SourceEntry, { kind: 'file' }>;

/**
 * Writes `source` below `destRoot`, an existing directory that no other process writes to. Modes and times are
 * kept, set-id bits are not. On failure what was written stays, for the caller to remove with the workspace.
 *
 * Measured on two cores: 42,000 files with 600 MB take about 3 s (test/staging/workspace/materialise.test.ts makes a
 * smaller tree; bench/ has the figures).
 *
 * @throws StagerError what `source.entries` throws; SOURCE_CHANGED, SOURCE_UNSAFE, SOURCE_TOO_LARGE,
 * HOST_DISK_FULL, CANCELLED.
 */
export async function materialise(
  source: Pick<Source, 'description' | 'entries'>,
  destRoot: string,
  options: MaterialiseOptions,
): Promise<Materialised> {
  const run = new Materialising(source.description, destRoot, options);
  try {
    for await (const entry of source.entries({ signal: options.signal })) await run.take(entry);
  } finally {
    await run.settle();
  }
  throwIfCancelled(options.signal);
  return run.finish();
}

class Materialising {
  readonly #writer: TreeWriter;
  readonly #tally: Tally;
  readonly #pace: Pace;
  readonly #report: Report | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  readonly #large = pLimit(LARGE_AT_ONCE);
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #files = 0;
  #symlinks = 0;

  constructor(description: string, destRoot: string, options: MaterialiseOptions) {
    this.#writer = new TreeWriter(destRoot, options.owner);
    this.#tally = new Tally({ ...DEFAULT_SOURCE_LIMITS, ...options.limits }, description);
    this.#pace = new Pace(options.signal);
    this.#report = options.report;
  }

  async take(entry: SourceEntry): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#pace.spent) await this.#pace.rest();
    this.#tally.setEntries(this.#tally.entries + 1);
    switch (entry.kind) {
      case 'directory':
        this.#writer.directory(entry.path, entry);
        return;
      case 'symlink':
        this.#symlinks += 1;
        this.#writer.symlink(entry.path, entry.target, entry.mtimeMs);
        return;
      case 'file':
        this.#tally.addBytes(entry.sizeBytes);
        await this.#file(entry);
        this.#files += 1;
        if (this.#files % FILES_PER_REPORT === 0) this.#progress();
        return;
    }
  }

  /** Waits for the large files that are still being copied. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  finish(): Materialised {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#writer.finish();
    this.#progress();
    const { directoryCount: directories } = this.#writer;
    return { files: this.#files, symlinks: this.#symlinks, directories, bytes: this.#tally.bytes };
  }

  #progress(): void {
    this.#report?.({ type: 'progress', phase: { name: 'workspace' }, done: this.#files, unit: 'files' });
  }

  async #file(entry: File): Promise<void> {
    const { hostPath } = entry;
    const isSmall = entry.sizeBytes <= SMALL_BYTES;
    // Nobody but ourselves can say what the kernel copied.
    if (hostPath === undefined || (!isSmall && entry.sha256 !== undefined)) await this.#stream(entry);
    else if (isSmall) this.#copySmall(entry, hostPath);
    else await this.#startLarge(entry, hostPath);
  }

  async #stream(entry: File): Promise<void> {
    const content = entry.open === undefined ? [] : await entry.open();
    const to = this.#writer.create(entry.path);
    const digest = entry.sha256 === undefined ? undefined : createHash('sha256');
    let written = false;
    try {
      for await (const chunk of content) {
        if (!(chunk instanceof Uint8Array)) throw new TypeError('content must be bytes');
        digest?.update(chunk);
        writeFully(to, chunk, entry.path);
        if (this.#pace.spent) await this.#pace.rest();
      }
      demandContent(entry, digest?.digest('hex'));
      written = true;
    } finally {
      if (!written) closeSync(to);
    }
    this.#writer.close(to, entry);
  }

  #copySmall(entry: File, hostPath: string): void {
    const size = this.#readSmall(entry, hostPath);
    demandContent(entry, entry.sha256 && hash('sha256', this.#buffer.subarray(0, size)));
    const to = this.#writer.create(entry.path);
    try {
      writeFully(to, this.#buffer.subarray(0, size), entry.path);
    } catch (error) {
      closeSync(to);
      throw error;
    }
    this.#writer.close(to, entry);
  }

  #readSmall(entry: File, hostPath: string): number {
    const from = openRegular(hostPath, entry);
    try {
      let size = 0;
      for (let more = -1; more !== 0 && size < SMALL_BYTES; size += more) {
        more = readSync(from, this.#buffer, size, SMALL_BYTES - size, null);
      }
      if (size !== entry.sizeBytes)
        throw changedWhileRead(entry.path, `holds ${size} bytes, not ${entry.sizeBytes}`);
      return size;
    } catch (error) {
      throw errnoOf(error) === undefined ? error : unreadable(entry.path, error);
    } finally {
      closeSync(from);
    }
  }

  /** Starts a copy and returns when another may be started: at most {@link LARGE_AT_ONCE} run. */
  async #startLarge(entry: File, hostPath: string): Promise<void> {
    const to = this.#writer.place(entry.path);
    const running = this.#large(() => this.#copyLarge(entry, hostPath, to))
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    if (this.#running.size >= LARGE_AT_ONCE) await Promise.race(this.#running);
  }

  async #copyLarge(entry: File, hostPath: string, to: string): Promise<void> {
    const from = openRegular(hostPath, entry);
    try {
      // By descriptor, so that it is the file that was looked at; COPYFILE_EXCL never follows or overwrites.
      const flags = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL;
      await copyFile(`/proc/self/fd/${from}`, to, flags).catch((error: unknown) => {
        throw asWriteError(entry.path, error);
      });
    } finally {
      closeSync(from);
    }
    const { size } = await lstat(to);
    if (size !== entry.sizeBytes)
      throw changedWhileRead(entry.path, `holds ${size} bytes, not ${entry.sizeBytes}`);
    this.#writer.close(openSync(to, constants.O_RDONLY | constants.O_NOFOLLOW), entry);
  }
}

/** @throws StagerError SOURCE_CHANGED. */
function demandContent({ path, sha256 }: File, found: string | undefined): void {
  if (found !== sha256) throw changedWhileRead(path, 'does not hold what was packaged a moment ago');
}

/** Opens without following a link or waiting for a pipe: the file may have been replaced after it was listed. */
function openRegular(hostPath: string, entry: File): number {
  let descriptor: number;
  try {
    descriptor = openSync(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(entry.path, error);
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  throw changedWhileRead(entry.path, 'is no longer a regular file');
}
