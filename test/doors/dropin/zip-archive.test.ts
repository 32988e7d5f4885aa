import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { joinInside } from '../../../src/doors/dropin/zip-archive.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'join-inside-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a name in a zip', () => {
  it('never leaves the target, by dots, by an absolute name or through links', () => {
    mkdirSync(join(root, 'dir'));
    symlinkSync('/etc', join(root, 'absolute'));
    symlinkSync('../../../etc', join(root, 'dir', 'up'));
    symlinkSync('loop', join(root, 'loop'));
    expect(joinInside(root, '../../etc/passwd')).toBe(join(root, 'etc/passwd'));
    expect(joinInside(root, '/etc/passwd')).toBe(join(root, 'etc/passwd'));
    expect(joinInside(root, 'absolute/passwd')).toBe(join(root, 'etc/passwd'));
    expect(joinInside(root, 'dir/up/passwd')).toBe(join(root, 'etc/passwd'));
    expect(() => joinInside(root, 'loop/x')).toThrow('too many levels of symbolic links');
  });
});
