/** `--compression gzip:1-9|zstd[:1-19]|none` for droplets and build caches. */
import { StagerError } from '../../../words/errors.ts';

/** How an archive is compressed. */
export type Compression =
  | {
      readonly codec: 'gzip';
      readonly level: number;
      /** Level of the blocks of big files; `level` when absent. */
      readonly blockLevel?: number;
    }
  | { readonly codec: 'zstd'; readonly level: number }
  | { readonly codec: 'none' };

/**
 * Level 5 where small files share a member, level 4 for the blocks of big files. On the Node app of the benchmark,
 * in CPU seconds and against the size of `tar -czf`: level 4 throughout 5.5 s and +6.4 %, this 6.2 s and +4.3 %,
 * level 5 throughout 7.0 s and +2.3 %, level 6 throughout 9.2 s and +0.9 % (`npm run bench -- levels`).
 */
export const DEFAULT_COMPRESSION = { codec: 'gzip', level: 5, blockLevel: 4 } as const satisfies Compression;

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
  if (codec === 'gzip' && level === undefined) return DEFAULT_COMPRESSION;
  if (codec === 'gzip' || codec === 'zstd') {
    const number = level === undefined ? DEFAULT_ZSTD_LEVEL : Number(level);
    if (number >= LEVELS[codec].min && number <= LEVELS[codec].max) return { codec, level: number };
  }
  throw new StagerError('USAGE', `compression "${text}" is not known`, {
    next: 'Use gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none.',
    details: { value: text },
  });
}

/** The text that {@link parseCompression} reads back. */
export function formatCompression(compression: Compression): string {
  if (compression.codec === 'none') return 'none';
  if (compression.codec === 'gzip' && compression.blockLevel !== undefined) return 'gzip';
  return `${compression.codec}:${compression.level}`;
}

/** Media type of a tarball compressed so, for the blob store. */
export function tarballContentType(compression: Compression): string {
  return { gzip: 'application/gzip', zstd: 'application/zstd', none: 'application/x-tar' }[compression.codec];
}
