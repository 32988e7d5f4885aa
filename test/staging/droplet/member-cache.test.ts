import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sweepMemberCache } from '../../../src/staging/droplet/pack/member-cache-sweep.ts';
import { bytesOf, everything, packed, put, scratch } from './trees.ts';

const { signal } = new AbortController();

/** Paths of all members in a cache. */
function members(cache: string): string[] {
  return readdirSync(cache)
    .filter((name) => /^[0-9a-f]{2}$/.test(name))
    .flatMap((shard) => readdirSync(join(cache, shard)).map((name) => join(cache, shard, name)));
}

describe('the member cache', () => {
  it.each([
    [
      'a flipped byte',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
    ],
    ['a cut end', (path: string) => truncateSync(path, 50)],
    ['nothing in it', (path: string) => truncateSync(path, 0)],
    [
      'another version',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes.write('SGM0');
        writeFileSync(path, bytes);
      },
    ],
    [
      'a directory in its place',
      (path: string) => {
        rmSync(path);
        mkdirSync(join(path, 'full'), { recursive: true });
      },
    ],
    [
      'a file in the place of its directory',
      (path: string) => {
        rmSync(dirname(path), { recursive: true });
        writeFileSync(dirname(path), '');
      },
    ],
  ])('makes a member with %s again, and the droplet stays the same', async (_what, spoil) => {
    using dir = scratch();
    everything(dir.at('tree'));
    const memberCache = dir.at('cache');
    const { bytes, summary } = await packed(dir.at('tree'), { memberCache });
    for (const path of members(memberCache)) spoil(path);
    const again = await packed(dir.at('tree'), { memberCache });
    expect(again.bytes.equals(bytes)).toBe(true);
    expect(again.summary.cachedMembers).toBe(0);
    expect((await packed(dir.at('tree'), { memberCache })).summary.cachedMembers).toBe(summary.members);
  });

  it('may vanish between and during stagings', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    const memberCache = dir.at('cache');
    const { bytes } = await packed(dir.at('tree'), { memberCache });
    rmSync(memberCache, { recursive: true });
    expect((await packed(dir.at('tree'), { memberCache })).bytes.equals(bytes)).toBe(true);
    rmSync(join(memberCache, 'tmp'), { recursive: true });
    for (const path of members(memberCache).slice(0, 2)) rmSync(join(path, '..'), { recursive: true });
    expect((await packed(dir.at('tree'), { memberCache })).bytes.equals(bytes)).toBe(true);
  });

  it('that cannot be written is a warning', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    put(dir.at('cache'), 'a file where the directory should be');
    const { bytes, summary } = await packed(dir.at('tree'), { memberCache: dir.at('cache') });
    expect(bytes.equals((await packed(dir.at('tree'))).bytes)).toBe(true);
    expect(summary.warnings).toEqual([expect.stringContaining('ENOTDIR')]);
  });

  it('keeps levels and codecs apart', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    const memberCache = dir.at('cache');
    await packed(dir.at('tree'), { memberCache, compression: { codec: 'gzip', level: 1 } });
    const other = await packed(dir.at('tree'), { memberCache, compression: { codec: 'gzip', level: 9 } });
    expect(other.summary.cachedMembers).toBe(0);
  });

  it('compresses only the members that a changed file is in', async () => {
    using dir = scratch();
    for (let i = 0; i < 400; i++) put(dir.at('tree', `d${i % 20}`, `f${i}`), bytesOf(20_000, i));
    const memberCache = dir.at('cache');
    await packed(dir.at('tree'), { memberCache });
    put(dir.at('tree', 'd7', 'f27'), 'changed');
    const { bytes, summary } = await packed(dir.at('tree'), { memberCache });
    expect(summary.members - summary.cachedMembers).toBeLessThanOrEqual(4);
    expect(summary.members).toBeGreaterThan(8);
    expect(bytes.equals((await packed(dir.at('tree'))).bytes)).toBe(true);
  });

  it('keeps the contents of larger files when all times are new', async () => {
    using dir = scratch();
    for (let i = 0; i < 60; i++) put(dir.at('tree', `f${i}`), bytesOf(i % 3 === 0 ? 50_000 : 500, i));
    const memberCache = dir.at('cache');
    await packed(dir.at('tree'), { memberCache });
    const contents = (): string[] => members(memberCache).filter((path) => path.includes('-spans-'));
    const before = contents();
    expect(before.length).toBeGreaterThan(0);
    for (const name of readdirSync(dir.at('tree'))) utimesSync(dir.at('tree', name), 1e9, 1e9);
    const { bytes } = await packed(dir.at('tree'), { memberCache });
    expect(contents()).toEqual(before);
    expect(bytes.equals((await packed(dir.at('tree'))).bytes)).toBe(true);
  });

  it('makes no droplet that differs from one without it, whatever changed in between', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    for (let i = 0; i < 40; i++) put(dir.at('tree', 'm', `f${i}`), bytesOf((i * 7919) % 90_000, i));
    const at = (name: string): string => dir.at('tree', 'm', name);
    const memberCache = dir.at('cache');
    const rounds: readonly (() => void)[] = [
      () => {},
      () => {
        put(at('f3'), bytesOf(80_000, 99));
        utimesSync(at('f6'), 1e9, 1e9);
        chmodSync(at('f9'), 0o755);
        rmSync(at('f12'));
      },
      () => {
        put(at('f12a'), bytesOf(70_000, 98));
        renameSync(at('f15'), at('n'.repeat(150)));
        put(at('f18'), bytesOf(600_000, 97));
        linkSync(at('f21'), at('f21-again'));
      },
      () => {
        symlinkSync('f22', at('f22-link'));
        truncateSync(at('f24'), 32 * 1024);
        writeFileSync(at('f27'), Buffer.concat([readFileSync(at('f27')), readFileSync(at('f30'))]));
      },
    ];
    for (const change of rounds) {
      change();
      const cached = await packed(dir.at('tree'), { memberCache, threads: 1 });
      expect(cached.bytes.equals((await packed(dir.at('tree'), { threads: 1 })).bytes)).toBe(true);
    }
  });

  it('serves several stagings that fill it at once', async () => {
    using dir = scratch();
    everything(dir.at('tree'));
    const memberCache = dir.at('cache');
    const all = await Promise.all([1, 2, 3].map(() => packed(dir.at('tree'), { memberCache, threads: 2 })));
    for (const { bytes } of all) expect(bytes.equals(all[0]?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(readdirSync(join(memberCache, 'tmp'))).toEqual([]);
  });

  it('is whole after stagings were killed while they wrote to it', async () => {
    using dir = scratch();
    for (let i = 0; i < 12; i++) put(dir.at('tree', `f${i}`), bytesOf(3_000_000, i));
    const memberCache = dir.at('cache');
    const program = new URL('pack-program.ts', import.meta.url).pathname;
    for (let kill = 1; kill <= 3; kill++) {
      const child = spawn(process.execPath, [program, dir.at('tree'), dir.at('x.tgz'), memberCache]);
      const exited = once(child, 'exit');
      await membersAtLeast(memberCache, kill * 4, exited);
      child.kill('SIGKILL');
      await exited;
    }
    expect(members(memberCache).length).toBeGreaterThan(0);
    const resumed = await packed(dir.at('tree'), { memberCache });
    expect(resumed.summary.cachedMembers).toBeGreaterThan(0);
    expect(resumed.bytes.equals((await packed(dir.at('tree'))).bytes)).toBe(true);
  });
});

/** Returns when the cache holds `count` members, or the writer ended. */
async function membersAtLeast(cache: string, count: number, exited: Promise<unknown>): Promise<void> {
  let running = true;
  void exited.then(() => {
    running = false;
  });
  while (running && (!existsSync(cache) || members(cache).length < count)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('sweeping the member cache', () => {
  function cacheOf(root: string): string {
    mkdirSync(join(root, 'aa'), { recursive: true });
    for (let i = 0; i < 5; i++) {
      const path = join(root, 'aa', `member${i}`);
      writeFileSync(path, Buffer.alloc(1000));
      const used = Date.now() / 1000 - i * 3600;
      utimesSync(path, used, used);
    }
    return root;
  }

  it('removes the least recently used until it fits', async () => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    const swept = await sweepMemberCache(cache, { signal, limits: { maxBytes: 2500, maxAgeMs: 1e12 } });
    expect(swept).toEqual({ skipped: false, removed: 3, removedBytes: 3000, keptBytes: 2000 });
    expect(readdirSync(join(cache, 'aa'))).toEqual(['member0', 'member1']);
  });

  it('removes what is too old, and what a killed writer left aside', async () => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    put(join(cache, 'tmp', '1-dead'), 'half');
    writeFileSync(join(cache, 'tmp', '2-alive'), 'half');
    await sweepMemberCache(cache, { signal, limits: { maxBytes: 1e9, maxAgeMs: 2.5 * 3600_000 } });
    expect(readdirSync(join(cache, 'aa'))).toEqual(['member0', 'member1', 'member2']);
    expect(readdirSync(join(cache, 'tmp'))).toEqual(['2-alive']);
  });

  it('does nothing right after another sweep, and nothing to a cache that is not there', async () => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    const limits = { maxBytes: 0, maxAgeMs: 0 };
    expect((await sweepMemberCache(dir.at('none'), { signal })).removed).toBe(0);
    await sweepMemberCache(cache, { signal, limits: { maxBytes: 1e9, maxAgeMs: 1e12 } });
    expect((await sweepMemberCache(cache, { signal, limits })).skipped).toBe(true);
    expect((await sweepMemberCache(cache, { signal, limits, force: true })).removed).toBe(5);
  });

  it('goes by no sweep that is still to come', async () => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    writeFileSync(join(cache, 'swept'), '');
    utimesSync(join(cache, 'swept'), 4e9, 4e9);
    const limits = { maxBytes: 0, maxAgeMs: 0 };
    expect(await sweepMemberCache(cache, { signal, limits })).toMatchObject({ skipped: false, removed: 5 });
  });

  it.each([
    ['a link to itself in the place of a member', 'aa/member0', (path: string) => symlinkSync(path, path)],
    ['a link to itself in the place of its note', 'swept', (path: string) => symlinkSync(path, path)],
    ['a directory in the place of its note', 'swept', (path: string) => put(join(path, 'in the way'), '')],
  ])('goes on over %s', async (_, name, damage) => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    rmSync(join(cache, name), { force: true });
    damage(join(cache, name));

    const limits = { maxBytes: 0, maxAgeMs: 0 };
    const { fault } = await sweepMemberCache(cache, { signal, force: true, limits });

    expect(fault).toBeUndefined();
    expect(members(cache)).toEqual([]);
    expect(lstatSync(join(cache, 'swept')).isFile()).toBe(true);
  });

  it('that is not possible is told, not thrown', async () => {
    using dir = scratch();
    const cache = cacheOf(dir.at('cache'));
    const loop = dir.at('loop');
    symlinkSync(loop, loop);
    expect(await sweepMemberCache(loop, { signal, force: true })).toMatchObject({ fault: 'ELOOP' });
    const cancelled = sweepMemberCache(cache, { signal: AbortSignal.abort(), force: true });
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
