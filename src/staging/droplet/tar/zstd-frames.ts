/**
 * Decompresses joined zstd frames (RFC 8878), which is what our zstd tarballs and those of parallel compressors
 * are. Node's decompressor stops at the end of the first frame and drops what follows in the same chunk, so frames
 * are told apart here, by their headers and block sizes, and each gets a decompressor of its own.
 */
import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import type { ByteReader } from './byte-reader.ts';
import { Refused } from './tar-parse.ts';

/** First bytes of a frame, little-endian. */
export const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a5;
const CHUNK_BYTES = 64 * 1024;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const RLE = 1;
const RESERVED = 3;

/** The content of all frames. @throws Refused when there is something else; errors of zlib. */
export async function* zstdContent(reader: ByteReader): AsyncGenerator<Buffer> {
  for (;;) {
    const magic = await reader.peek(4);
    if (magic.length === 0) return;
    if (magic.length < 4) throw new Refused('it ends early');
    if (magic.readUInt32LE() >>> 4 === SKIPPABLE) {
      await skip(reader);
      continue;
    }
    if (magic.readUInt32LE() !== ZSTD_MAGIC)
      throw new Refused('it continues with something that is not part of it');
    const codec = createZstdDecompress({ chunkSize: CHUNK_BYTES });
    // A failure comes out of the iteration over `codec`; there is nothing to do here.
    pipeline(Readable.from(frame(reader), { objectMode: false }), codec, () => {});
    yield* codec;
  }
}

async function skip(reader: ByteReader): Promise<void> {
  const header = await reader.take(8);
  for (let left = header.readUInt32LE(4); left > 0; left -= CHUNK_BYTES) {
    await reader.take(Math.min(left, CHUNK_BYTES));
  }
}

/** The bytes of one frame. */
async function* frame(reader: ByteReader): AsyncGenerator<Buffer> {
  const start = await reader.take(5);
  yield start;
  const descriptor = start[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const sizeBytes = descriptor < 0x40 && single ? 1 : (CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0);
  yield await reader.take((single ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + sizeBytes);
  for (let last = false; !last; ) {
    const header = await reader.take(3);
    const bits = header.readUIntLE(0, 3);
    last = (bits & 1) === 1;
    const type = (bits >> 1) & 3;
    if (type === RESERVED) throw new Refused('a zstd block is of an unknown kind');
    yield header;
    yield await reader.take(type === RLE ? 1 : bits >> 3);
  }
  if ((descriptor & 4) !== 0) yield await reader.take(4);
}
