import { describe, expect, it } from 'vitest';
import { type Member, membersOf } from '../../../src/staging/droplet/tar/members.ts';
import type { TreeEntry } from '../../../src/staging/droplet/tar/tree-walk.ts';

function file(name: string, size: number): TreeEntry {
  return { name, type: 'file', mode: 0o644, size, mtime: 1, link: '', host: `/${name}` };
}

/** As many files as a real app has, with sizes of every order. */
function app(count: number): TreeEntry[] {
  return Array.from({ length: count }, (_, i) => file(`./m/${i % 97}/f${i}.js`, (i * 7919) % 40_000));
}

/** What a member's bytes are made of. */
const identity = (member: Member): string => JSON.stringify(member);

function touched(before: readonly TreeEntry[], after: readonly TreeEntry[]): number {
  const known = new Set([...membersOf(before)].map(identity));
  return [...membersOf(after)].filter((member) => !known.has(identity(member))).length;
}

describe('members', () => {
  it('hold every byte of the tar once, in order, and are neither tiny nor huge', () => {
    const entries = app(5000);
    const members = [...membersOf(entries)];
    const names = members.flatMap((m) => (m.kind === 'entries' ? m.entries.map((entry) => entry.name) : []));
    expect(names).toEqual(entries.map((entry) => entry.name));
    const sizes = members.filter((m) => m.kind === 'entries').map((m) => m.rawBytes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(sizes.reduce((a, b) => a + b) / sizes.length).toBeGreaterThan(500_000);
  });

  it('stay the same, but for a few, when one file changes its size, comes or goes', () => {
    const before = app(5000);
    const total = [...membersOf(before)].length;
    expect(total).toBeGreaterThan(80);
    for (const at of [3, 1234, 2500, 4998]) {
      const grown = before.with(at, file(before[at]?.name ?? '', 39_999));
      expect(touched(before, grown)).toBeLessThanOrEqual(6);
      expect(touched(before, before.toSpliced(at, 1))).toBeLessThanOrEqual(6);
      expect(touched(before, before.toSpliced(at, 0, file('./m/new', 12_345)))).toBeLessThanOrEqual(6);
    }
  });

  it('keep the blocks of a big file when only its header changes', () => {
    const big = file('./big', 5_000_000);
    expect(touched([big], [{ ...big, mtime: 2 }])).toBe(1);
  });

  it('cut many tiny files too', () => {
    const members = [...membersOf(Array.from({ length: 50_000 }, (_, i) => file(`./t/${i}`, i % 100)))];
    for (const member of members) expect(member.rawBytes).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(members.length).toBeGreaterThan(20);
  });
});
