import { expect, it } from 'vitest';
import { harmless, oneLine } from '../../../src/doors/cli/terminal/harmless.ts';

it('a line feed in a name can not forge a line of an error', () => {
  expect(harmless('no such file: a\nerror UNEXPECTED (stager): b')).toBe(
    'no such file: a\n  error UNEXPECTED (stager): b',
  );
});

it('a line feed in a name can not forge a warning', () => {
  expect(oneLine('kept: a\nwarning b')).toBe('kept: a\\x0awarning b');
});

it('control characters are shown and not obeyed', () => {
  expect(harmless('\x1b[2J\r\x07\x9b')).toBe('\\x1b[2J\\x0d\\x07\\x9b');
});

it('a path of 4 KiB is cut, and says so', () => {
  const shown = harmless(`unsafe: ${'d/'.repeat(2048)}end`);
  expect(shown.length).toBeLessThan(1024);
  expect(shown).toMatch(/^unsafe: d\/d\/.*….*d\/end$/);
});
