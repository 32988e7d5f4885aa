/**
 * Packs roots on disk into one tarball, as a stream: walked, read, hashed, compressed and handed on in one pass.
 *
 *     walk ─► members ─► worker threads: read, tar, sha256 ─► in the cache? ─► compressed bytes, in order ─► body
 *
 * The same roots give the same bytes, whatever the cache holds and however many threads work.
 */

import { versions } from 'node:process';
import { Readable } from 'node:stream';
import { heldEntries } from '../../../machine/host/heap-growth.ts';
import { cancelled, StagerError } from '../../../words/errors.ts';
import type { KnownTree } from '../tar/known-tree.ts';
import { type Member, membersOf } from '../tar/members.ts';
import { type ContentRoot, readable, type TreeEntry, type WalkOptions, walkRoots } from '../tar/tree-walk.ts';
import { type Compression, DEFAULT_COMPRESSION } from './compression.ts';
import type { MemberPacking } from './member-packer.ts';
import type { PackedMember } from './member-reply.ts';
import { packMembers } from './pack-members.ts';

/** How to pack. */
export interface PackOptions {
  readonly signal: AbortSignal;
  /** {@link DEFAULT_COMPRESSION} when absent. */
  readonly compression?: Compression;
  /** Directory of the member cache; nothing is kept when absent. */
  readonly memberCache?: string;
  /** Seconds since the epoch; every time in the archive becomes this (`--reproducible`). */
  readonly sourceDateEpoch?: number;
  /**
   * The most that all files may hold together, as their sizes say. A sparse file takes no room on the disk and an age
   * to pack.
   */
  readonly maxBytes?: number;
  /** Worker threads; one a core by default. */
  readonly threads?: number;
  /** What of the roots need not be looked at, opened or read. */
  readonly known?: KnownTree | undefined;
  /** See {@link WalkOptions}. */
  readonly leaveOut?: NonNullable<WalkOptions['leaveOut']>;
}

/** What was packed. */
export interface PackSummary {
  readonly files: number;
  readonly directories: number;
  /** Symbolic and hard links. */
  readonly links: number;
  /** Bytes of the tar before compression. */
  readonly rawBytes: number;
  /** Bytes of the body. */
  readonly packedBytes: number;
  readonly members: number;
  /** Members that came out of the cache. */
  readonly cachedMembers: number;
  /** Sentences for people: what was left out, a cache that could not be written. */
  readonly warnings: readonly string[];
}

/** A tarball that is being made. */
export interface PackedTarball {
  /** Fails with DROPLET_PACK_FAILED when a file changes, vanishes or can't be read; with OUT_OF_DISK above `maxBytes`; with CANCELLED on the signal. */
  readonly body: Readable;
  /** Settles when the body has ended; rejects with what the body failed with. */
  readonly summary: Promise<PackSummary>;
}

/** Packs `roots`. Nothing is read before the body is. */
export function packTarball(roots: readonly ContentRoot[], options: PackOptions): PackedTarball {
  return packEntries((onSkipped, atEnd) => {
    const { sourceDateEpoch, known, leaveOut } = options;
    return walkRoots(roots, {
      onSkipped,
      atEnd,
      known,
      ...(leaveOut === undefined ? {} : { leaveOut }),
      ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    });
  }, options);
}

/** Makes the entries of an archive as they are asked for; the callbacks are those of {@link WalkOptions}. */
export type EntrySource = (
  onSkipped: WalkOptions['onSkipped'],
  atEnd: WalkOptions['atEnd'],
) => Iterable<TreeEntry>;

/** Packs `entries`, which may be of any walk. Nothing is read before the body is. */
export function packEntries(entries: EntrySource, options: PackOptions): PackedTarball {
  const { promise, resolve, reject } = Promise.withResolvers<PackSummary>();
  // A caller that only looks at the body must not be ended by the same failure once more.
  promise.catch(() => {});
  const body = Readable.from(pack(entries, options, resolve), {
    objectMode: false,
    highWaterMark: 1024 * 1024,
  });
  body.once('close', () => {
    reject(body.errored ?? (options.signal.aborted ? cancelled(options.signal) : abandoned()));
  });
  return { body, summary: promise };
}

/** More sentences than this help nobody. */
const MAX_SKIPPED_WARNINGS = 50;

/** Counts while files are packed. */
class Tally implements PackSummary {
  files = 0;
  directories = 0;
  links = 0;
  rawBytes = 0;
  packedBytes = 0;
  members = 0;
  cachedMembers = 0;
  cacheFault: string | undefined;
  #skipped = 0;
  readonly #skippedWarnings: string[] = [];

  readonly skip = (path: string, reason: string): void => {
    this.#skipped += 1;
    if (this.#skipped <= MAX_SKIPPED_WARNINGS)
      this.#skippedWarnings.push(`${path} ${reason} and was left out`);
  };

  get warnings(): readonly string[] {
    const more = this.#skipped - this.#skippedWarnings.length;
    return [
      ...this.#skippedWarnings,
      ...(more > 0 ? [`${more} more sockets, pipes or devices were left out`] : []),
      ...(this.cacheFault === undefined
        ? []
        : [`the member cache could not be written (${this.cacheFault}); restaging will be slower`]),
    ];
  }

  summary(): PackSummary {
    const { files, directories, links, rawBytes, packedBytes, members, cachedMembers, warnings } = this;
    return { files, directories, links, rawBytes, packedBytes, members, cachedMembers, warnings };
  }
}

async function* pack(
  entries: EntrySource,
  options: PackOptions,
  done: (summary: PackSummary) => void,
): AsyncGenerator<Uint8Array> {
  const tally = new Tally();
  const undos: (() => void)[] = [];
  const compression = options.compression ?? DEFAULT_COMPRESSION;
  try {
    const walk = entries(tally.skip, (undo) => undos.push(undo));
    const members = counting(limited(walk, options.maxBytes), tally);
    const packing = packingOf(compression, options.memberCache);
    for await (const packed of packMembers(members, packing, options)) yield take(packed, tally);
  } finally {
    for (const undo of undos.reverse()) undo();
  }
  done(tally.summary());
}

function packingOf(compression: Compression, dir: string | undefined): MemberPacking {
  if (dir === undefined || compression.codec === 'none') return { compression };
  const engine = compression.codec === 'gzip' ? versions.zlib : versions['zstd'];
  return { compression, cache: { dir, engine: engine ?? 'unknown' } };
}

/** Walks while the threads work: the generator is drawn from as members are asked for. */
function* counting(walk: Iterable<TreeEntry>, tally: Tally): Generator<Member> {
  for (const member of membersOf(counted(walk, tally))) {
    tally.rawBytes += member.rawBytes;
    tally.members += 1;
    yield member;
  }
}

function* limited(entries: Iterable<TreeEntry>, maxBytes: number | undefined): Generator<TreeEntry> {
  let bytes = 0;
  for (const entry of entries) {
    bytes += entry.size;
    if (maxBytes !== undefined && bytes > maxBytes) throw tooLarge(entry, { bytes, maxBytes });
    yield entry;
  }
}

function tooLarge(entry: TreeEntry, { bytes, maxBytes }: { bytes: number; maxBytes: number }): StagerError {
  const path = readable(entry.name);
  return new StagerError(
    'OUT_OF_DISK',
    `the files to pack have more than ${maxBytes} bytes: ${bytes} with ${path}, which has ${entry.size}`,
    {
      next: 'Raise --disk, or check whether the buildpack leaves sparse files; they count with their full size.',
      details: { path, limitBytes: maxBytes, usedBytes: bytes },
    },
  );
}

function* counted(entries: Iterable<TreeEntry>, tally: Tally): Generator<TreeEntry> {
  for (const entry of entries) {
    if (entry.type === 'file') tally.files += 1;
    else if (entry.type === 'directory') tally.directories += 1;
    else tally.links += 1;
    heldEntries(tally.files);
    yield entry;
  }
}

function take(reply: PackedMember, tally: Tally): Uint8Array {
  if (reply.cached) tally.cachedMembers += 1;
  tally.cacheFault ??= reply.cacheFault;
  tally.packedBytes += reply.bytes.length;
  return reply.bytes;
}

function abandoned(): Error {
  return new Error('the tarball was not read to its end');
}
