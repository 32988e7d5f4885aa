import { describe, expect, it } from 'vitest';
import { freshnessOf, tellFreshness } from '../../../buildpacks/kit/freshness.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';
import type { Manifest } from '../../../buildpacks/kit/manifest.ts';

const checksum = { algorithm: 'sha256', digest: 'a'.repeat(64) } as const;
const entry = (name: string, version: string, more: object = {}) => ({
  ...{ name, version, uri: `npm:${name}@${version}`, checksum },
  ...more,
});
const manifest: Manifest = {
  language: 'demo',
  default_versions: [{ name: 'tool', version: '3.x' }],
  dependency_deprecation_dates: [
    { name: 'tool', version_line: '2.1.x', date: '2027-03-31' },
    { name: 'tool', version_line: '3.x', date: '2029-03-31' },
  ],
  dependencies: [
    ...['2.1.4', '2.1.9', '2.2.0', '3.0.1'].map((version) => entry('tool', version)),
    entry('tool', '4.0.0', { requires: { glibc: '>=2.99' } }),
    entry('library', '9.0.0'),
  ],
};
const fit = { stack: 'host', arch: 'x64', with: { glibc: '2.36.0' } };

function told(version: string, name = 'tool', now = '2026-11-30'): string {
  const lines: string[] = [];
  const one = { name, version, ...freshnessOf(manifest, { name, version }, fit) };
  tellFreshness(
    createLog((line) => lines.push(line.trim())),
    [one],
    new Date(now),
  );
  return lines.join('\n');
}

describe('how fresh a dependency is', () => {
  it('is data: the newest of its line and of all that run here, and when its line ends', () => {
    expect(freshnessOf(manifest, { name: 'tool', version: '2.1.4' }, fit)).toEqual({
      line: '2.1.x',
      newestOfLine: '2.1.9',
      newest: '3.0.1',
      endOfLife: '2027-03-31',
    });
    expect(freshnessOf(manifest, { name: 'tool', version: '3.0.1' }, fit)).toEqual({
      line: '3.x',
      endOfLife: '2029-03-31',
    });
  });

  it('is told in a line, when there is something to do', () => {
    expect(told('2.1.4')).toBe('tool 2.1.4: 2.1.9 is newer, 2.1.x ends on 2027-03-31, the newest is 3.0.1');
    expect(told('2.1.9')).toBe('tool 2.1.9: 2.1.x ends on 2027-03-31, the newest is 3.0.1');
    expect(told('2.1.9', 'tool', '2026-01-01')).toBe('');
    expect(told('2.1.9', 'tool', '2028-01-01')).toContain('2.1.x ended on 2027-03-31');
  });

  it('says nothing of what is new enough, of versions that are no numbers, and of libraries', () => {
    expect([told('3.0.1'), told('bookworm-1'), told('1.0.0', 'library')]).toEqual(['', '', '']);
  });
});
