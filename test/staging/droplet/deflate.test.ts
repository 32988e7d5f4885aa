import { randomBytes } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  deflateBetween,
  deflateBlock,
  deflateSpans,
  interleaved,
  type Span,
} from '../../../src/staging/droplet/pack/deflate.ts';
import { bytesOf } from './trees.ts';

const LEVEL = 5;

/** A member of `contents` with `between` around them, and where the contents are. */
function member(contents: readonly Buffer[], between: string): { raw: Buffer; spans: Span[] } {
  const parts: Buffer[] = [Buffer.from(between)];
  const spans: Span[] = [];
  let at = between.length;
  for (const content of contents) {
    spans.push({ start: at, end: at + content.length });
    parts.push(content, Buffer.from(between));
    at += content.length + between.length;
  }
  return { raw: Buffer.concat(parts), spans };
}

describe('a member in pieces', () => {
  it.each([
    ['text', [bytesOf(40_000, 1), bytesOf(100_000, 2)]],
    ['noise', [randomBytes(50_000), bytesOf(33_000, 3), randomBytes(40_000)]],
    ['zeros', [Buffer.alloc(200_000)]],
    ['nothing larger', []],
  ])('of %s is one deflate stream', (_what, contents) => {
    for (const between of ['', 'header '.repeat(200), 'x'.repeat(70_000)]) {
      const { raw, spans } = member(contents, between);
      const pieces = interleaved(deflateBetween(raw, spans, LEVEL), deflateSpans(raw, spans, LEVEL));
      expect(inflateRawSync(Buffer.concat(pieces)).equals(raw)).toBe(true);
    }
  });

  it('has the same bytes for the same contents, whatever is around them', () => {
    const contents = [bytesOf(40_000, 1), bytesOf(100_000, 2)];
    const one = member(contents, 'made on monday');
    const two = member(contents, 'made on tuesday, elsewhere');
    const joined = ({ raw, spans }: typeof one): string =>
      Buffer.concat(deflateSpans(raw, spans, LEVEL)).toString('base64');
    expect(joined(two)).toBe(joined(one));
  });

  it('deflates what is between contents with what is before it in view', () => {
    const { raw, spans } = member([bytesOf(10_000, 9)], bytesOf(20_000, 9).toString());
    expect(deflateBetween(raw, spans, LEVEL)[1]?.length).toBeLessThan(1000);
  });
});

describe('what is compressed already', () => {
  it('is stored as it is', () => {
    const noise = randomBytes(1 << 20);
    const block = deflateBlock(noise, LEVEL);
    expect(block.includes(noise.subarray(10_000, 20_000))).toBe(true);
    expect(block.length).toBeLessThan(noise.length * 1.001);
    expect(inflateRawSync(block).equals(noise)).toBe(true);
  });

  it.each([0, 300_000, 1_000_000])('is told by more than its bytes at %s', (at) => {
    const block = randomBytes(1 << 20);
    block.fill('text', at, at + 48_000);
    block.fill('text', (1 << 19) - 4096, (1 << 19) + 4096);
    expect(deflateBlock(block, LEVEL).length).toBeLessThan(block.length - 40_000);
  });
});
