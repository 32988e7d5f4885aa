import { describe, expect, it } from 'vitest';
import {
  DEFAULT_COMPRESSION,
  formatCompression,
  parseCompression,
} from '../../../src/staging/droplet/pack/compression.ts';

describe('--compression', () => {
  it.each([
    ['gzip', DEFAULT_COMPRESSION],
    ['gzip:1', { codec: 'gzip', level: 1 }],
    ['gzip:9', { codec: 'gzip', level: 9 }],
    ['zstd', { codec: 'zstd', level: 3 }],
    ['zstd:19', { codec: 'zstd', level: 19 }],
    ['none', { codec: 'none' }],
  ])('takes %s', (text, compression) => {
    expect(parseCompression(text)).toEqual(compression);
    expect(parseCompression(formatCompression(parseCompression(text)))).toEqual(compression);
  });

  it.each(['', 'gzip:0', 'gzip:10', 'zstd:20', 'none:1', 'lz4', 'gzip:', 'gzip:6x', 'GZIP'])(
    'refuses "%s" and says what it takes',
    (text) => {
      expect(() => parseCompression(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );
});
