import { describe, expect, it } from 'vitest';
import { type IgnoreInput, ignoreRules } from '../../../src/staging/source/ignore.ts';

function rules(text: string, options: Partial<IgnoreInput> = {}) {
  return ignoreRules({ style: 'cf', order: 'file-first', file: { text, path: '.cfignore' }, ...options });
}

describe('the cf style', () => {
  it.each([
    ['node_modules', 'a/node_modules/x', true],
    ['node_modules/', 'node_modules/x', true],
    ['node_modules/', 'node_modules', false],
    ['foo/*.txt', 'foo/a.txt', true],
    ['foo/*.txt', 'z/foo/a.txt', false],
    ['foo/bar', 'z/foo/bar', true],
    ['/vendor', 'x/vendor', false],
    ['*.log', 'b.log/x', true],
    ['foo/*', 'foo/a/b', true],
    ['a/**', 'a', true],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['dir\n!dir/keep', 'dir/keep', false],
    ['*\n!keep', 'keep', false],
    ['a?b', 'axb', false],
    ['[abc].txt', 'a.txt', true],
    ['a+b', 'aab', true],
  ])('decides %j for %s as the reference does: %s', (text, path, ignored) => {
    expect(rules(text).ignores(path, 'other')).toBe(ignored);
  });

  it('leaves the default list out at any depth, and keeps .gitattributes', () => {
    const none = ignoreRules({ style: 'cf', order: 'file-first' });
    expect(none.ignores('sub/manifest.yml', 'other')).toBe(true);
    expect(none.ignores('.git/config', 'other')).toBe(true);
    expect(none.ignores('.gitattributes', 'other')).toBe(false);
  });

  it('lets a zip bring a default back, and a directory not', () => {
    expect(rules('!manifest.yml').ignores('manifest.yml', 'other')).toBe(true);
    expect(rules('!manifest.yml', { order: 'defaults-first' }).ignores('manifest.yml', 'other')).toBe(false);
  });

  it('puts extra lines last', () => {
    const verdict = rules('!trace.log', { extra: ['trace.log'] }).explain('trace.log', 'other');
    expect(verdict).toEqual({ ignored: true, rule: { text: 'trace.log', line: 1, from: 'extra list' } });
  });

  it('names the line that decided, for both answers', () => {
    const own = rules('# a comment\nlogs\n!logs/keep\n');
    expect(own.explain('logs/x', 'other')).toEqual({
      ignored: true,
      rule: { text: 'logs', line: 2, from: '.cfignore' },
    });
    expect(own.explain('logs/keep', 'other').rule?.line).toBe(3);
    expect(own.explain('.git', 'directory').rule).toEqual({ text: '.git', line: 3, from: 'default list' });
    expect(own.explain('src', 'directory')).toEqual({ ignored: false });
  });

  it('takes what RE2 refuses for no rule, and says so', () => {
    const own = rules('foo(bar\n(?=x)\n(a)\\1\na{1001}\nok');
    expect(own.unusable.map((line) => line.line)).toEqual([1, 3, 4]);
    expect(own.ignores('foo(bar', 'other')).toBe(false);
    expect(own.ignores('ok', 'other')).toBe(true);
  });

  it('answers at once for lines made to backtrack', () => {
    const path = `${'a'.repeat(250)}/${'a'.repeat(250)}!`;
    for (const line of ['(a+)+$', '(a|aa)+$', `${'*a'.repeat(120)}b`, `${'**/'.repeat(60)}b`, '(.*)*x$']) {
      expect(rules(line).ignores(path, 'other')).toBe(false);
      expect(rules(line, { style: 'git' }).ignores(path, 'other')).toBe(false);
    }
  });
});

describe('pruning', () => {
  it.each([
    ['node_modules', 'node_modules', true],
    ['node_modules/', 'x/node_modules', true],
    ['node_modules\n!keep', 'node_modules', false],
    ['!keep\nnode_modules', 'node_modules', true],
    ['/a\n!/b/keep', 'a', true],
    ['/a\n!/a/b/keep', 'a', false],
    ['/a/b\n!/a', 'a/b', false],
    ['a$', 'a', false],
    ['a|b', 'a', false],
    ['foo\\b', 'foo', false],
    ['*.log', 'x.log', true],
    ['src/*.js', 'src', false],
  ])('%j: nothing below %s can be kept: %s', (text, directory, pruned) => {
    expect(rules(text).leavesOutAllBelow(directory)).toBe(pruned);
  });

  it('never skips .git when a zip brings something in it back', () => {
    const own = rules('!.git/keep', { order: 'defaults-first' });
    expect(own.leavesOutAllBelow('.git')).toBe(false);
    expect(own.ignores('.git/keep', 'other')).toBe(false);
  });
});
