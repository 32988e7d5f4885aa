import { describe, expect, it } from 'vitest';
import { leavesApp } from '../../../src/staging/source/links.ts';

function check(links: Record<string, string>, path: string): string | undefined {
  return leavesApp(path, links[path] ?? '', new Map(Object.entries(links)));
}

describe('links that stay', () => {
  it.each([
    ['node_modules/.bin/tsc', '../typescript/bin/tsc'],
    ['a/b/c', '../../d'],
    ['a', '.'],
    ['a', 'missing/file'],
    ['a', '/app/server.js'],
    ['a', '/app'],
    ['a', '/home/vcap/app/x/../y'],
    ['a', '/home/vcap/deps/0/bin'],
    ['a/b', '..'],
  ])('#13 %s → %s', (path, target) => {
    expect(check({ [path]: target }, path)).toBeUndefined();
  });

  it('a loop leads nowhere', () => {
    expect(check({ a: 'b', b: 'a' }, 'a')).toBeUndefined();
    expect(check({ a: 'a/..' }, 'a')).toBeUndefined();
  });
});

describe('links that leave', () => {
  it.each([
    ['a', '/etc/passwd'],
    ['a', '/'],
    ['a', '..'],
    ['a', '../x'],
    ['a/b', '../../x'],
    ['a/b', 'c/../../../x'],
    ['a', '/app/../etc/passwd'],
    ['a', '/app/./../etc'],
    ['a', '/application'],
    ['a', '/home/vcap/../other'],
    ['a', '/home/vcap/./app/../../x'],
    ['a', '//etc/passwd'],
    ['a', ''],
    ['a', 'x\0y'],
  ])('%s → %j', (path, target) => {
    expect(check({ [path]: target }, path)).toBeDefined();
  });

  it('through another link of the app', () => {
    // deep/er/up leads to the root, so one .. more is outside.
    const links = { 'deep/er/up': '../..', out: 'deep/er/up/../x', inner: 'deep/er/up/x' };
    expect(check(links, 'out')).toContain('leads out');
    expect(check(links, 'inner')).toBeUndefined();
  });

  it('through a chain whose last link is absolute', () => {
    expect(check({ a: 'b', b: 'c', c: '/etc' }, 'a')).toContain('/etc');
    expect(check({ a: 'b/passwd', b: '/etc' }, 'a')).toContain('/etc');
    expect(check({ a: 'b/../../x', b: '/app/dir' }, 'a')).toContain('leads out');
  });
});
