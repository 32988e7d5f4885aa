/**
 * Cuts a tarball, whatever its compression, into segments that worker threads unpack side by side.
 *
 * Our own gzip members are segments already: their headers say how long they are, and they are handed over still
 * compressed. Anything else is decompressed as one stream and cut at entries here.
 */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ByteReader } from './byte-reader.ts';
import { MEMBER_HEADER_BYTES, readMemberHeader } from './gzip-member.ts';
import { BIG_FILE, BLOCK_BYTES } from './members.ts';
import { BLOCK, padded } from './tar-header.ts';
import {
  applyMeta,
  contentSize,
  isMeta,
  isZeroBlock,
  MAX_META_BYTES,
  metaBytes,
  type Overrides,
  parseHeader,
  Refused,
} from './tar-parse.ts';
import { ZSTD_MAGIC, zstdContent } from './zstd-frames.ts';

/** A piece of the archive. Every segment owns its buffer, which may be transferred. */
export interface TarSegment {
  /** Whole entries (the content of the last may follow in pieces), or a piece of that content. */
  readonly kind: 'entries' | 'piece';
  readonly gzip: boolean;
  readonly bytes: Buffer<ArrayBuffer>;
  /** Length when decompressed. */
  readonly rawBytes: number;
}

const GZIP_MAGIC = 0x1f8b;
/** Enough that a message to a thread costs nothing beside its work. */
const SEGMENT_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Long names and pax records before one entry; each of them has its own limit. */
const MAX_META_RUN_BYTES = 4 * MAX_META_BYTES;
/** Zeros after the end. Writers fill up a record of 10 KiB, or of a MiB for tapes. */
const MAX_PADDING_BYTES = 16 * 1024 * 1024;

/**
 * The segments of `body` in order.
 *
 * @throws Refused when it is not an archive, or ends early; errors of zlib; whatever `body` fails with.
 */
export async function* segmentsOf(body: Readable): AsyncGenerator<TarSegment> {
  const reader = new ByteReader(body);
  const start = await reader.peek(BLOCK);
  if (start.length === 0) throw new Refused('it is empty');
  if (readMemberHeader(start) !== undefined) {
    yield* ownMembers(reader);
    return;
  }
  if (start.length >= 4 && start.readUInt16BE(0) === GZIP_MAGIC) {
    yield* entries(gunzipped(reader));
  } else if (start.length >= 4 && start.readUInt32LE(0) === ZSTD_MAGIC) {
    yield* entries(new ByteReader(zstdContent(reader)));
  } else {
    yield* entries(reader);
  }
}

async function* ownMembers(reader: ByteReader): AsyncGenerator<TarSegment> {
  for (;;) {
    const start = await reader.peek(MEMBER_HEADER_BYTES);
    if (start.length === 0) return;
    const header = readMemberHeader(start);
    if (header === undefined) throw new Refused('it continues with something that is not part of it');
    const bytes = await reader.take(header.memberBytes);
    yield { kind: header.piece ? 'piece' : 'entries', gzip: true, bytes, rawBytes: header.rawBytes };
  }
}

function gunzipped(reader: ByteReader): ByteReader {
  const codec = createGunzip({ chunkSize: CHUNK_BYTES });
  // A failure comes out of the iteration over `codec`; there is nothing to do here.
  pipeline(Readable.from(reader.rest(), { objectMode: false }), codec, () => {});
  return new ByteReader(codec);
}

/** Cuts a plain tar at entries. */
async function* entries(reader: ByteReader): AsyncGenerator<TarSegment> {
  let segment = new SegmentBuffer();
  let overrides: Overrides = {};
  let metaRun = 0;
  for (;;) {
    const at = await segment.take(reader, BLOCK);
    if (isZeroBlock(segment.bytes, at)) break;
    const header = parseHeader(segment.bytes, at);
    const size = isMeta(header) ? metaBytes(header) : contentSize(header, overrides);
    const big = size > BIG_FILE && !isMeta(header);
    const content = big ? 0 : await segment.take(reader, padded(size));
    if (isMeta(header)) {
      overrides = applyMeta(header, segment.bytes.subarray(content, content + header.size), overrides);
      metaRun += BLOCK + size;
      if (metaRun > MAX_META_RUN_BYTES) throw new Refused('it has long names without entries');
      continue;
    }
    overrides = {};
    metaRun = 0;
    if (big || segment.length >= SEGMENT_BYTES) {
      yield segment.finish();
      segment = new SegmentBuffer();
    }
    if (big) yield* pieces(reader, size);
  }
  yield segment.finish();
  await onlyZeros(reader);
}

/** Grows to hold whole entries. */
class SegmentBuffer {
  bytes = Buffer.allocUnsafeSlow(SEGMENT_BYTES + BIG_FILE);
  length = 0;

  /** Reads `count` bytes to the end of the segment; returns where they start. */
  async take(reader: ByteReader, count: number): Promise<number> {
    const at = this.length;
    if (at + count > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow((at + count) * 2);
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = larger;
    }
    if (count > 0) await reader.readInto(this.bytes, at, count);
    this.length += count;
    return at;
  }

  finish(): TarSegment {
    const bytes = this.bytes.subarray(0, this.length);
    return { kind: 'entries', gzip: false, bytes, rawBytes: bytes.length };
  }
}

async function* pieces(reader: ByteReader, size: number): AsyncGenerator<TarSegment> {
  for (let offset = 0; offset < size; offset += BLOCK_BYTES) {
    const bytes = await reader.take(padded(Math.min(BLOCK_BYTES, size - offset)));
    yield { kind: 'piece', gzip: false, bytes, rawBytes: bytes.length };
  }
}

/** After the end of a tar there is only padding; entries there would be seen by some readers and not by others. */
async function onlyZeros(reader: ByteReader): Promise<void> {
  let bytes = 0;
  for await (const chunk of reader.rest()) {
    bytes += chunk.length;
    if (bytes > MAX_PADDING_BYTES || chunk.some((byte) => byte !== 0)) {
      throw new Refused('it continues after its end');
    }
  }
}
