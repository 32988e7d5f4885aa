/** Content of a member → its compressed bytes, made or found in the member cache. */
import { createHash, hash } from 'node:crypto';
import { crc32, constants as zlib, zstdCompressSync } from 'node:zlib';
import { gzipMember, gzipMemberOf } from '../tar/gzip-member.ts';
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

/** What a member is made of, without its bytes: the digest of a text that says so, and of which kind it is. */
export interface MemberRecipe {
  readonly digest: string;
  readonly piece: boolean;
}

/** The same bytes whatever the cache holds. */
export class MemberCodec {
  readonly #compression: MemberCodecOptions['compression'];
  readonly #cache: MemberCodecOptions['cache'];

  constructor({ compression, cache }: MemberCodecOptions) {
    this.#compression = compression;
    this.#cache = cache;
  }

  /** `raw` as a member; with a recipe it is found by that from now on. */
  encode(raw: Buffer, { piece, spans }: MemberShape, recipe?: MemberRecipe): EncodedMember {
    const inPieces = this.#compression.codec === 'gzip' && spans.length > 0;
    const made = inPieces ? this.#inPieces(raw, spans) : this.#whole(raw, piece);
    if (recipe !== undefined) this.#cache?.files.put(this.#recipeName(recipe), made.found);
    const { found: _found, ...encoded } = made;
    return encoded;
  }

  /** The member of a recipe, if the cache has all of it. */
  recall(recipe: MemberRecipe): EncodedMember | undefined {
    const found = this.#cache?.files.get(this.#recipeName(recipe));
    const pieces = found === undefined ? undefined : readFinding(found);
    if (pieces === undefined) return undefined;
    if (pieces.spans === 0) {
      const bytes = this.#get(this.#wholeName(pieces.digests[0], recipe.piece));
      return bytes === undefined ? undefined : { bytes, cached: true };
    }
    const [within, between] = [
      this.#get(this.#withinName(pieces.digests[0])),
      this.#get(this.#betweenName(pieces.digests[1])),
    ];
    if (within === undefined || between === undefined) return undefined;
    const { spans, rawBytes, crc } = pieces;
    const stream = interleaved(unbundled(between, spans + 1), unbundled(within, spans));
    return { bytes: gzipMemberOf(stream, { rawBytes, crc, piece: false }), cached: true };
  }

  #whole(raw: Buffer, piece: boolean): Found {
    const digest = hash('sha256', raw, 'hex');
    const { codec, level: usual } = this.#compression;
    const level = (piece && this.#blockLevel()) || usual;
    const encoded = this.#kept(this.#wholeName(digest, piece), () => {
      if (codec === 'zstd') return zstdFrame(raw, level);
      const stream = piece ? [deflateBlock(raw, level)] : deflateBetween(raw, [], level);
      return gzipMember(raw, stream, piece);
    });
    return { ...encoded, found: writeFinding({ digests: [digest, digest], spans: 0, rawBytes: 0, crc: 0 }) };
  }

  /** Contents and what is between them are kept apart, since new times change only the latter. */
  #inPieces(raw: Buffer, spans: readonly Span[]): Found {
    const { level } = this.#compression;
    const places = Buffer.from(new Uint32Array(spans.flatMap(({ start, end }) => [start, end])).buffer);
    const lengths = Buffer.from(new Uint32Array(spans.map(({ start, end }) => end - start)).buffer);
    const contents = createHash('sha256').update(lengths);
    for (const { start, end } of spans) contents.update(raw.subarray(start, end));
    const digests = [
      contents.digest('hex'),
      createHash('sha256').update(places).update(raw).digest('hex'),
    ] as const;
    const within = this.#kept(this.#withinName(digests[0]), () => bundle(deflateSpans(raw, spans, level)));
    const between = this.#kept(this.#betweenName(digests[1]), () =>
      bundle(deflateBetween(raw, spans, level)),
    );
    const stream = interleaved(
      unbundled(between.bytes, spans.length + 1),
      unbundled(within.bytes, spans.length),
    );
    const cacheFault = within.cacheFault ?? between.cacheFault;
    const rawBytes = raw.length;
    const crc = crc32(raw);
    return {
      bytes: gzipMemberOf(stream, { rawBytes, crc, piece: false }),
      cached: within.cached && between.cached,
      found: writeFinding({ digests, spans: spans.length, rawBytes, crc }),
      ...(cacheFault !== undefined && { cacheFault }),
    };
  }

  /** The same content is another member as a piece: its header says so. A droplet may hold a copy of itself. */
  #wholeName(digest: string, piece: boolean): string {
    const { codec, level: usual } = this.#compression;
    const level = (piece && this.#blockLevel()) || usual;
    return `${digest}.${codec}:${level}${piece ? '-piece' : ''}`;
  }

  #withinName(digest: string): string {
    return `${digest}.gzip:${this.#compression.level}-spans`;
  }

  #betweenName(digest: string): string {
    return `${digest}.gzip:${this.#compression.level}-between`;
  }

  #recipeName({ digest, piece }: MemberRecipe): string {
    return `${this.#wholeName(digest, piece)}-recipe-${this.#cache?.engine ?? ''}`;
  }

  #get(name: string): Buffer | undefined {
    return this.#cache?.files.get(`${name}-${this.#cache.engine}`);
  }

  #blockLevel(): number | undefined {
    return this.#compression.codec === 'gzip' ? this.#compression.blockLevel : undefined;
  }

  /** What the cache has under `name`, or what `make` makes, which is kept. */
  #kept(name: string, make: () => Buffer): EncodedMember {
    if (this.#cache === undefined) return { bytes: make(), cached: false };
    const { files, engine } = this.#cache;
    const found = this.#get(name);
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

/** A member, and by which names the cache has what it is made of. */
type Found = EncodedMember & { readonly found: Buffer };

/** What is kept under a recipe: the digests in the names, and what joining the pieces takes. */
interface Finding {
  readonly digests: readonly [string, string];
  readonly spans: number;
  readonly rawBytes: number;
  readonly crc: number;
}

const FINDING_BYTES = 2 * 32 + 3 * 4;

function writeFinding({ digests, spans, rawBytes, crc }: Finding): Buffer {
  const bytes = Buffer.alloc(FINDING_BYTES);
  for (const [index, digest] of digests.entries()) bytes.write(digest, index * 32, 'hex');
  for (const [index, value] of [spans, rawBytes, crc].entries()) bytes.writeUInt32LE(value, 64 + index * 4);
  return bytes;
}

function readFinding(bytes: Buffer): Finding | undefined {
  if (bytes.length !== FINDING_BYTES) return undefined;
  const digests = [bytes.toString('hex', 0, 32), bytes.toString('hex', 32, 64)] as const;
  const [spans, rawBytes, crc] = [bytes.readUInt32LE(64), bytes.readUInt32LE(68), bytes.readUInt32LE(72)];
  return { digests, spans, rawBytes, crc };
}
