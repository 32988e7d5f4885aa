/**
 * Unpacks a droplet or build cache into a directory, on all cores when there is much of it.
 *
 * The archive is hostile. It can't write outside of `dest` or through a link, use more than its limits, set
 * set-id bits, make devices, or name a path twice. Symbolic links are made last, as they are, wherever they point:
 * a droplet may hold links to `/app` or `/home/vcap` (buildpack-contracts.md 6.1 #13), and nothing here follows one.
 */
import { mkdirSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { cancelled, errnoOf, isStagerError, StagerError } from '../../../words/errors.ts';
import { padded } from '../tar/tar-header.ts';
import { type ParsedEntry, Refused } from '../tar/tar-parse.ts';
import { segmentsOf, type TarSegment } from '../tar/tar-segments.ts';
import { placeLater } from './unpack-later.ts';
import type { UnpackReply, UnpackTask, UnpackWorkerData } from './unpack-segment.ts';
import { Unpackers } from './unpackers.ts';

/** How to unpack. */
export interface UnpackOptions {
  readonly signal: AbortSignal;
  /** For messages: `the droplet`, `the build cache`. */
  readonly what: string;
  /** Owner of everything that is made; the process's own when absent. Any other needs root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly limits?: Partial<UnpackLimits>;
  /** Worker threads; one a core by default. */
  readonly threads?: number;
}

/** What an archive may use. */
export interface UnpackLimits {
  /** Of the tar, decompressed. */
  readonly bytes: number;
  readonly entries: number;
}

/** What was unpacked. */
export interface UnpackSummary {
  readonly files: number;
  readonly directories: number;
  readonly links: number;
  /** Bytes of the tar, decompressed. */
  readonly rawBytes: number;
}

/** Generous for an app, small for a bomb. */
const DEFAULT_UNPACK_LIMITS: UnpackLimits = { bytes: 32 * 1024 ** 3, entries: 1_000_000 };

/**
 * Unpacks `body` (tar as gzip, zstd or plain; told by its first bytes) into `dest`, which is made when absent. What
 * is there already is never replaced. After a failure `dest` holds a part: remove it.
 *
 * @throws StagerError DROPLET_INVALID when the archive is damaged, hostile or over its limits; HOST_DISK_FULL;
 * CANCELLED; whatever `body` fails with.
 */
export async function unpackTarball(
  body: Readable,
  dest: string,
  options: UnpackOptions,
): Promise<UnpackSummary> {
  const destBytes = Buffer.from(dest, 'utf8').toString('latin1').replace(/\/+$/, '');
  const workerData: UnpackWorkerData = {
    dest: destBytes,
    ...(options.owner === undefined ? {} : { owner: options.owner }),
  };
  mkdirSync(dest, { recursive: true, mode: 0o755 });
  const unpackers = new Unpackers(workerData, {
    signal: options.signal,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  const unpacking = new Unpacking(unpackers, { ...DEFAULT_UNPACK_LIMITS, ...options.limits });
  try {
    await unpacking.writeFiles(addAbortSignal(options.signal, body));
    const { owner, signal } = options;
    const placed = await placeLater(unpacking.later, { dest: destBytes, owner, signal });
    return { files: unpacking.files, ...placed, rawBytes: unpacking.rawBytes };
  } catch (error) {
    throw options.signal.aborted ? cancelled(options.signal) : described(error, options.what);
  } finally {
    body.destroy();
    await unpackers.close();
  }
}

/** A file whose content comes in pieces. */
interface OpenFile {
  readonly entry: ParsedEntry;
  offset: number;
}

class Unpacking {
  readonly #unpackers: Unpackers;
  readonly #limits: UnpackLimits;
  /** Answers that are still to come, oldest first. */
  readonly #underWay: Promise<unknown>[] = [];
  readonly #written: ParsedEntry[] = [];
  readonly later: ParsedEntry[] = [];
  #open: OpenFile | undefined;
  #entries = 0;
  #ended = false;
  files = 0;
  rawBytes = 0;

  constructor(unpackers: Unpackers, limits: UnpackLimits) {
    this.#unpackers = unpackers;
    this.#limits = limits;
  }

  async writeFiles(body: Readable): Promise<void> {
    for await (const segment of segmentsOf(body)) {
      this.rawBytes += segment.rawBytes;
      if (this.rawBytes > this.#limits.bytes) throw this.#tooLarge('bytes', this.rawBytes);
      // Which file a piece belongs to is known once the entries before it were read.
      if (segment.kind === 'piece' && this.#open === undefined) await this.#settle(0);
      this.#start(this.#task(segment));
      await this.#settle(this.#unpackers.window);
    }
    await this.#settle(0);
    if (this.#open !== undefined || !this.#ended) throw new Refused('it ends early');
    for (const entry of this.#written) this.#start({ kind: 'finish', entry });
    await this.#settle(0);
  }

  #task(segment: TarSegment): UnpackTask {
    const { gzip, bytes, rawBytes } = segment;
    if (segment.kind === 'entries') return { kind: 'entries', gzip, bytes, rawBytes };
    const open = this.#open;
    if (open === undefined) throw new Refused('it has a piece that belongs to no file');
    const { path, size } = open.entry;
    const length = Math.min(rawBytes, size - open.offset);
    if (rawBytes !== padded(length) || rawBytes === 0)
      throw new Refused('a piece of a file has the wrong length');
    const task: UnpackTask = { kind: 'piece', gzip, bytes, rawBytes, path, offset: open.offset, length };
    open.offset += length;
    if (open.offset === size) {
      this.#written.push(open.entry);
      this.#open = undefined;
    }
    return task;
  }

  #start(task: UnpackTask): void {
    const reply = this.#unpackers.run(task);
    reply.catch(() => {});
    this.#underWay.push(reply);
  }

  /** Takes answers until at most `left` are to come. */
  async #settle(left: number): Promise<void> {
    while (this.#underWay.length > left) this.#take(unpackReply(await this.#underWay.shift()));
  }

  #take(reply: UnpackReply): void {
    if (reply.refused !== undefined) throw new Refused(reply.refused);
    if (reply.failed !== undefined) throw systemFailure(reply.failed);
    if (reply.entries > 0 && (this.#ended || this.#open !== undefined)) {
      throw new Refused(this.#ended ? 'it continues after its end' : 'the content of a file is missing');
    }
    this.#entries += reply.entries;
    if (this.#entries > this.#limits.entries) throw this.#tooLarge('entries', this.#entries);
    this.files += reply.files;
    for (const entry of reply.later) this.later.push(entry);
    if (reply.open !== undefined) this.#open = { entry: reply.open, offset: 0 };
    if (reply.ended) this.#ended = true;
  }

  #tooLarge(unit: 'bytes' | 'entries', actual: number): Refused {
    return new Refused(`it has more than ${this.#limits[unit]} ${unit} (${actual} so far)`);
  }
}

function unpackReply(reply: unknown): UnpackReply {
  if (isUnpackReply(reply)) return reply;
  throw new Error('a worker thread answered with something unknown');
}

function isUnpackReply(reply: unknown): reply is UnpackReply {
  return typeof reply === 'object' && reply !== null && 'later' in reply && 'ended' in reply;
}

/** A system error of whoever unpacked, as one of this function's own is. */
function systemFailure({ errno, path }: { readonly errno: string; readonly path: string }): Error {
  return Object.assign(new Error(`${path} could not be written: ${errno}`), { code: errno, path });
}

/** What is the archive's own doing becomes DROPLET_INVALID; a full disk says so; everything else stays what it is. */
function described(error: unknown, what: string): unknown {
  if (isStagerError(error)) return error;
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new StagerError(
      'HOST_DISK_FULL',
      `no space left for ${what}, which was being unpacked: ${error instanceof Error ? error.message : ''}`,
      {
        next: 'Free space on the file system of the workspace.',
        cause: error,
      },
    );
  }
  const reason = error instanceof Refused ? error.message : damage(errno);
  if (reason === undefined) return error;
  return new StagerError('DROPLET_INVALID', `${what} can't be unpacked: ${reason}`, {
    next: 'Stage the app again, or give a tarball that GNU tar made.',
    cause: error,
  });
}

/** Failures that a damaged or odd archive leads to. */
function damage(errno: string | undefined): string | undefined {
  if (errno === undefined) return undefined;
  if (/^(Z_|ZSTD_|ERR_ZSTD)/.test(errno)) return `it is damaged (${errno})`;
  if (/^E(NAMETOOLONG|ILSEQ|INVAL)$/.test(errno)) return `it has a name that can't be used here (${errno})`;
  return undefined;
}
