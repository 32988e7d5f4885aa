import { describe, expect, it } from 'vitest';
import { type Line, LineSplitter, MAX_LINE_BYTES, OPEN_LINE_MS } from '../../../src/staging/logs/lines.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function splitter(options: { maxBytes?: number; openLineMs?: number } = {}) {
  const lines: Line[] = [];
  const clock = new FakeClock();
  const it = new LineSplitter({ clock, onLine: (line) => lines.push(line), ...options });
  const write = (...chunks: (string | number[])[]): void => {
    for (const chunk of chunks) it.write(Buffer.from(chunk as string));
  };
  return { clock, lines, write, end: () => it.end() };
}

const whole = (...texts: string[]): Line[] => texts.map((text) => ({ text, partial: false }));

describe('lines', () => {
  it('gives lines in order without their ends, empty ones as well', () => {
    const { write, end, lines } = splitter();
    write('one\ntw', 'o\n\nthr', 'ee\n');
    end();
    expect(lines).toEqual(whole('one', 'two', '', 'three'));
  });

  it('gives a last line that has no end', () => {
    const { write, end, lines } = splitter();
    write('a\nb');
    end();
    end();
    expect(lines).toEqual(whole('a', 'b'));
  });

  it('gives nothing for an empty stream', () => {
    const { end, lines } = splitter();
    end();
    expect(lines).toEqual([]);
  });

  it('removes the CR of a CRLF, also when the two come apart, and keeps the CRs of a progress bar', () => {
    const { write, end, lines } = splitter();
    write('dos\r', '\n', '10%\r20%\r', '\n', 'x\r\r\n');
    end();
    expect(lines).toEqual(whole('dos', '10%\r20%', 'x\r'));
  });

  it('puts a character together whose bytes come one by one', () => {
    const { write, end, lines } = splitter();
    for (const byte of Buffer.from('é€😀\n')) write([byte]);
    end();
    expect(lines).toEqual(whole('é€😀'));
  });

  it('replaces bytes that are not UTF-8', () => {
    const { write, end, lines } = splitter();
    write([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82]);
    end();
    expect(lines).toEqual(whole('a\uFFFDb', '\uFFFD'));
  });

  it('shows an open line after a quarter of a second, and the rest of it later', () => {
    const { clock, write, end, lines } = splitter();
    write('Password');
    clock.advance(OPEN_LINE_MS - 1);
    expect(lines).toEqual([]);
    clock.advance(1);
    expect(lines).toEqual([{ text: 'Password', partial: true }]);
    write(': ok\nnext\n');
    end();
    expect(lines).toEqual([{ text: 'Password', partial: true }, ...whole(': ok', 'next')]);
    expect(clock.pending).toBe(0);
  });

  it('ends a line of which everything was shown already', () => {
    const { clock, write, end, lines } = splitter();
    write('...');
    clock.advance(OPEN_LINE_MS);
    write('\n');
    end();
    expect(lines).toEqual([{ text: '...', partial: true }, ...whole('')]);
  });

  it('counts the wait of a line from its own start', () => {
    const { clock, write, lines } = splitter();
    write('a');
    clock.advance(200);
    write('\nb');
    clock.advance(100);
    expect(lines).toEqual(whole('a'));
    clock.advance(150);
    expect(lines).toEqual([...whole('a'), { text: 'b', partial: true }]);
  });

  it('never shows half a character or half a CRLF', () => {
    const { clock, write, end, lines } = splitter();
    write([...Buffer.from('ab'), 0xe2, 0x82]);
    clock.advance(OPEN_LINE_MS);
    write([0xac, 0x0d]);
    clock.advance(OPEN_LINE_MS);
    write('\n');
    end();
    expect(lines).toEqual([{ text: 'ab', partial: true }, { text: '€', partial: true }, ...whole('')]);
  });

  it('cuts a line of more than 61,440 bytes between two characters', () => {
    const { write, end, lines } = splitter({ openLineMs: Number.POSITIVE_INFINITY });
    const line = `x${'€'.repeat(50_000)}`;
    write(line.slice(0, 30_000), `${line.slice(30_000)}\n`);
    end();
    expect(lines.map(({ text }) => text).join('')).toBe(line);
    expect(lines.map(({ partial }) => partial)).toEqual([true, true, false]);
    for (const { text } of lines) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(Buffer.byteLength(lines[0]?.text ?? '')).toBeGreaterThan(MAX_LINE_BYTES - 4);
  });

  it('leaves a line of exactly 61,440 bytes whole', () => {
    const { write, end, lines } = splitter();
    write(`${'x'.repeat(MAX_LINE_BYTES)}\ny\n`);
    end();
    expect(lines).toEqual(whole('x'.repeat(MAX_LINE_BYTES), 'y'));
  });

  it('cuts invalid bytes without losing any', () => {
    const { write, end, lines } = splitter({ maxBytes: 16 });
    write(new Array<number>(100).fill(0x80));
    end();
    expect(lines.map(({ text }) => text).join('')).toBe('\uFFFD'.repeat(100));
  });

  it('gives the same text however the bytes are cut', () => {
    const text = 'añ\r\n\n€uro 😀\r\r\nlast';
    const bytes = Buffer.from(text);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const { write, end, lines } = splitter();
      write([...bytes.subarray(0, cut)], [...bytes.subarray(cut)]);
      end();
      expect(lines).toEqual(whole('añ', '', '€uro 😀\r', 'last'));
    }
  });
});
