/** Content of a member → its compressed bytes, made or found in the member cache. */
import { createHash, hash } from 'node:crypto';
import { constants as zlib, zstdCompressSync } from 'node:zlib';
import { gzipMember } from '../tar/gzip-member.ts';
import type { Compression } from './compression.ts';
import { deflateBetween, deflateBlock, deflateSpans, interleaved, type Span } from './deflate.ts';
import type { MemberFiles } from './member-cache.ts';

/** What a codec compresses with, and where it keeps what it made. */
export interface MemberCodecOptions {
  readonly compression: Exclude<Compression, { codec: 'none' }>;
  /** `engine` is the version of the codec: another one may make other bytes. */
  readonly cache?: { readonly files: MemberFiles; readonly engine: string };
}

/** A compressed member. */
export interface EncodedMember {
  readonly bytes: Buffer;
  /** True when nothing of it had to be compressed. */
  readonly cached: boolean;
  /** Why the cache could not be written. */
  readonly cacheFault?: string;
}

/** What a member is beside its bytes. */
export interface MemberShape {
  /** It is a piece of a big file. */
  readonly piece: boolean;
  /** Where in it the contents of larger files are; in order, apart from each other. */
  readonly spans: readonly Span[];
}

/** The same bytes whatever the cache holds. */
export class MemberCodec {
  readonly #compression: MemberCodecOptions['compression'];
  readonly #cache: MemberCodecOptions['cache'];

  constructor({ compression, cache }: MemberCodecOptions) {
    this.#compression = compression;
    this.#cache = cache;
  }

  /** `raw` as a member. */
  encode(raw: Buffer, { piece, spans }: MemberShape): EncodedMember {
    if (this.#compression.codec === 'gzip' && spans.length > 0) return this.#inPieces(raw, spans);
    const { codec, level: usual } = this.#compression;
    const level = (piece && this.#blockLevel()) || usual;
    // The same content is another member as a piece: its header says so. A droplet may hold a copy of itself.
    const name = `${hash('sha256', raw, 'hex')}.${codec}:${level}${piece ? '-piece' : ''}`;
    return this.#kept(name, () => {
      if (codec === 'zstd') return zstdFrame(raw, level);
      const stream = piece ? [deflateBlock(raw, level)] : deflateBetween(raw, [], level);
      return gzipMember(raw, stream, piece);
    });
  }

  /** Contents and what is between them are kept apart, since new times change only the latter. */
  #inPieces(raw: Buffer, spans: readonly Span[]): EncodedMember {
    const { level } = this.#compression;
    const places = Buffer.from(new Uint32Array(spans.flatMap(({ start, end }) => [start, end])).buffer);
    const lengths = Buffer.from(new Uint32Array(spans.map(({ start, end }) => end - start)).buffer);
    const contents = createHash('sha256').update(lengths);
    for (const { start, end } of spans) contents.update(raw.subarray(start, end));
    const all = createHash('sha256').update(places).update(raw);
    const within = this.#kept(`${contents.digest('hex')}.gzip:${level}-spans`, () =>
      bundle(deflateSpans(raw, spans, level)),
    );
    const between = this.#kept(`${all.digest('hex')}.gzip:${level}-between`, () =>
      bundle(deflateBetween(raw, spans, level)),
    );
    const stream = interleaved(
      unbundled(between.bytes, spans.length + 1),
      unbundled(within.bytes, spans.length),
    );
    const cacheFault = within.cacheFault ?? between.cacheFault;
    return {
      bytes: gzipMember(raw, stream, false),
      cached: within.cached && between.cached,
      ...(cacheFault !== undefined && { cacheFault }),
    };
  }

  #blockLevel(): number | undefined {
    return this.#compression.codec === 'gzip' ? this.#compression.blockLevel : undefined;
  }

  /** What the cache has under `name`, or what `make` makes, which is kept. */
  #kept(name: string, make: () => Buffer): EncodedMember {
    if (this.#cache === undefined) return { bytes: make(), cached: false };
    const { files, engine } = this.#cache;
    const found = files.get(`${name}-${engine}`);
    if (found !== undefined) return { bytes: found, cached: true };
    const bytes = make();
    const cacheFault = files.put(`${name}-${engine}`, bytes);
    return { bytes, cached: false, ...(cacheFault !== undefined && { cacheFault }) };
  }
}

function zstdFrame(raw: Buffer, level: number): Buffer {
  return zstdCompressSync(raw, {
    params: { [zlib.ZSTD_c_compressionLevel]: level, [zlib.ZSTD_c_checksumFlag]: 1 },
  });
}

/** Pieces in one buffer, after their lengths. */
function bundle(pieces: readonly Buffer[]): Buffer {
  const lengths = new Uint32Array(pieces.map(({ length }) => length));
  return Buffer.concat([Buffer.from(lengths.buffer), ...pieces]);
}

function unbundled(bytes: Buffer, count: number): Buffer[] {
  let at = 4 * count;
  return Array.from({ length: count }, (_, index) => {
    const start = at;
    at += bytes.readUInt32LE(4 * index);
    return bytes.subarray(start, at);
  });
}
