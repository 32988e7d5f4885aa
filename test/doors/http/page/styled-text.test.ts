import { describe, expect, it } from 'vitest';
import { seen, styledPieces } from '../../../../src/doors/http/page/styled-text.ts';

const textOf = (line: string): string =>
  styledPieces(line)
    .map(({ text }) => text)
    .join('');

describe('a line of a log', () => {
  it('has its colours as names of classes', () => {
    expect(styledPieces('a \u001b[1;31mred\u001b[0m b \u001b[92mgreen\u001b[39m c')).toEqual([
      { text: 'a ', style: '' },
      { text: 'red', style: 'bold ansi-1' },
      { text: ' b ', style: '' },
      { text: 'green', style: 'ansi-10' },
      { text: ' c', style: '' },
    ]);
  });

  it('has the sixteen colours of a palette, and leaves others and backgrounds out', () => {
    expect(styledPieces('\u001b[38;5;9mx\u001b[38;5;200my\u001b[48;2;1;2;3;31mz')).toEqual([
      { text: 'x', style: 'ansi-9' },
      { text: 'y', style: '' },
      { text: 'z', style: 'ansi-1' },
    ]);
  });

  it('obeys no other sequence: titles, links, moves and clearing go', () => {
    expect(
      textOf(
        '\u001b]0;title\u0007a\u001b]8;;http://evil.example\u0007b\u001b]8;;\u0007\u001b[2J\u001b[10;10Hc',
      ),
    ).toBe('abc');
  });

  it('shows what can not be seen, and what turns text around', () => {
    expect(textOf('a\u0000b\u001b!\u202Edesrever\u200B\u2066')).toBe(
      'a[U+0000]b[U+001B]![U+202E]desrever[U+200B][U+2066]',
    );
    expect(seen('\u{E0041}\u0085')).toBe('[U+E0041][U+0085]');
  });

  it('ends as a terminal would show a progress bar', () => {
    expect(textOf('10 %\r50 %\r100 %\r')).toBe('100 %');
  });

  it('keeps tabs, and is made of few pieces however often it changes', () => {
    expect(textOf('a\tb')).toBe('a\tb');
    const rainbow = '\u001b[31mx\u001b[32my'.repeat(5000);
    expect(styledPieces(rainbow).length).toBeLessThan(500);
    expect(textOf(rainbow)).toBe('xy'.repeat(5000));
  });
});
