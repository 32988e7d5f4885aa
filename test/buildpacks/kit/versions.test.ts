import { describe, expect, it } from 'vitest';
import { compareDebianVersions } from '../../../buildpacks/kit/debian-version.ts';
import { highestMatch, newestFirst } from '../../../buildpacks/kit/versions.ts';

const KNOWN = ['1.2.3', '2.0.0', '1.3.0'];

describe('version ranges', () => {
  it.each([
    ['1.x', '1.3.0'],
    ['~1.2', '1.2.3'],
    ['>=1.2.0 <2.0.0', '1.3.0'],
    ['>= 1.2, < 2', '1.3.0'],
    ['v1.2.3', '1.2.3'],
    ['', '2.0.0'],
    ['latest', '2.0.0'],
    ['3.x', undefined],
    ['not a range', undefined],
  ])('#44 resolves "%s" to %s', (range, version) => {
    expect(highestMatch(range, KNOWN)).toBe(version);
  });

  it('takes a pre-release only when the range names one', () => {
    expect(highestMatch('1.x', ['1.0.0', '1.1.0-rc.1'])).toBe('1.0.0');
    expect(highestMatch('>=1.1.0-rc.0', ['1.0.0', '1.1.0-rc.1'])).toBe('1.1.0-rc.1');
  });

  it('lists the newest first and keeps what is not a version at the end', () => {
    expect(newestFirst(['1.9.0', 'odd', '1.10.0'])).toEqual(['1.10.0', '1.9.0', 'odd']);
  });

  it.each([
    ['1.22.1-9+deb12u11', '1.22.1-9+deb12u9'],
    ['1:1.0', '9.0'],
    ['1.0', '1.0~rc1'],
    ['1.0-1', '1.0'],
    ['1.0a', '1.0'],
    ['1.0+b', '1.0b'],
    ['10', '9'],
  ])('orders Debian version %s after %s', (newer, older) => {
    expect(compareDebianVersions(newer, older)).toBeGreaterThan(0);
    expect(compareDebianVersions(older, newer)).toBeLessThan(0);
    expect(compareDebianVersions(newer, newer)).toBe(0);
  });
});
