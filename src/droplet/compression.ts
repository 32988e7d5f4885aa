/** `--compression gzip:1-9|zstd[:1-19]|none` for droplets and build caches. */
import { StagerError } from '../errors.ts';

/** How an archive is compressed. */
export type Compression =
  | { readonly codec: 'gzip'; readonly level: number }
  | { readonly codec: 'zstd'; readonly level: number }
  | { readonly codec: 'none' };

/**
 * Level 4 of the bundled zlib: about 3 % more bytes than `tar -czf` in half the time of level 6
 * (docs/benchmarks.md; `npm run bench -- levels` measures it again).
 */
export const DEFAULT_COMPRESSION = { codec: 'gzip', level: 4 } as const satisfies Compression;

const DEFAULT_ZSTD_LEVEL = 3;
const LEVELS = { gzip: { min: 1, max: 9 }, zstd: { min: 1, max: 19 } } as const;

/**
 * The compression that `text` names. `gzip` alone is {@link DEFAULT_COMPRESSION}, `zstd` alone is level 3.
 *
 * @throws StagerError USAGE for anything else.
 */
export function parseCompression(text: string): Compression {
  const match = /^(gzip|zstd|none)(?::(\d{1,2}))?$/.exec(text);
  const codec = match?.[1];
  const level = match?.[2];
  if (codec === 'none' && level === undefined) return { codec };
  if (codec === 'gzip' || codec === 'zstd') {
    const fallback = codec === 'gzip' ? DEFAULT_COMPRESSION.level : DEFAULT_ZSTD_LEVEL;
    const number = level === undefined ? fallback : Number(level);
    if (number >= LEVELS[codec].min && number <= LEVELS[codec].max) return { codec, level: number };
  }
  throw new StagerError('USAGE', `compression "${text}" is not known`, {
    next: 'use gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none',
    details: { value: text },
  });
}

/** The text that {@link parseCompression} reads back. */
export function formatCompression(compression: Compression): string {
  return compression.codec === 'none' ? 'none' : `${compression.codec}:${compression.level}`;
}

/** Media type of a tarball compressed so, for the blob store. */
export function tarballContentType(compression: Compression): string {
  return { gzip: 'application/gzip', zstd: 'application/zstd', none: 'application/x-tar' }[compression.codec];
}
