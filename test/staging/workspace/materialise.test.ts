import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { SourceEntry } from '../../../src/staging/source/entry.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { materialise } from '../../../src/staging/workspace/materialise.ts';
import type { UntimedEvent } from '../../../src/words/events.ts';
import { isRefused, parseRelPath, type RelPath } from '../../../src/words/ids.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { rawTar, rawZip, saved, tempDir } from '../source/archives.ts';

const signal = new AbortController().signal;

function rel(text: string): RelPath {
  const path = parseRelPath(text);
  if (isRefused(path)) throw new Error(path.refused);
  return path;
}

/** A source that hands out just these entries: what a broken or hostile reader would. */
function hostile(entries: readonly SourceEntry[]) {
  return {
    description: 'hostile',
    async *entries() {
      yield* entries;
    },
  };
}

function file(path: string, content: string): SourceEntry {
  return {
    kind: 'file',
    path: rel(path),
    mode: 0o644,
    sizeBytes: content.length,
    mtimeMs: 0,
    open: async () => Readable.from([Buffer.from(content)]),
  };
}

describe('what is written', () => {
  it('content, modes, times, links and empty directories of a directory; large files too', async () => {
    const from = tempDir();
    mkdirSync(join(from, 'locked'));
    mkdirSync(join(from, 'empty'));
    writeFileSync(join(from, 'locked/run'), 'x');
    writeFileSync(join(from, 'large'), Buffer.alloc(1_500_000, 'abc'));
    symlinkSync('locked/run', join(from, 'link'));
    chmodSync(join(from, 'locked/run'), 0o4751);
    utimesSync(join(from, 'locked/run'), 1e9, 1e9);
    utimesSync(join(from, 'large'), 1e9, 1e9);
    utimesSync(join(from, 'locked'), 1.1e9, 1.1e9);
    chmodSync(join(from, 'locked'), 0o555);
    const to = tempDir();
    const done = await materialise(await openSource(from), to, { signal });
    expect(done).toEqual({ files: 2, directories: 2, symlinks: 1, bytes: 1_500_001 });
    expect(readdirSync(to)).toEqual(['empty', 'large', 'link', 'locked']);
    expect(readFileSync(join(to, 'large')).equals(readFileSync(join(from, 'large')))).toBe(true);
    expect(readlinkSync(join(to, 'link'))).toBe('locked/run');
    expect(statSync(join(to, 'locked/run'))).toMatchObject({ mtimeMs: 1e12, mode: 0o100751 });
    expect(statSync(join(to, 'large')).mtimeMs).toBe(1e12);
    expect(statSync(join(to, 'locked'))).toMatchObject({ mtimeMs: 1.1e12, mode: 0o40755 });
    chmodSync(join(from, 'locked'), 0o755);
  });

  it.each(['zip', 'tar'])('the same from a %s, parents that it does not name included', async (kind) => {
    const path =
      kind === 'zip'
        ? saved('a.zip', rawZip([{ name: 'a/b/c', content: 'hi', mode: 0o100755 }]))
        : saved('a.tar', await rawTar([{ name: 'a/b/c', content: 'hi', mode: 0o755 }]));
    const to = tempDir();
    await materialise(await openSource(path), to, { signal });
    expect(readFileSync(join(to, 'a/b/c'), 'utf8')).toBe('hi');
    expect(statSync(join(to, 'a/b/c')).mode & 0o777).toBe(0o755);
    expect(statSync(join(to, 'a/b')).mode & 0o777).toBe(0o755);
  });

  it('times before 1970, the same ones every time', async () => {
    const before = { mtimeMs: -86_400_000 };
    const entries: SourceEntry[] = [
      { kind: 'directory', path: rel('d'), mode: 0o755, ...before },
      { ...file('d/f', 'x'), ...before },
      { kind: 'symlink', path: rel('l'), target: 'd', ...before },
    ];
    const to = tempDir();
    await materialise(hostile(entries), to, { signal });
    for (const name of ['d', 'd/f', 'l']) expect(lstatSync(join(to, name)).mtimeMs, name).toBe(-86_400_000);
  });

  it.skipIf(!isRoot)(`everything is given to the owner, links themselves included${unlessRoot}`, async () => {
    const from = tempDir();
    mkdirSync(join(from, 'd'));
    writeFileSync(join(from, 'd/f'), '1');
    writeFileSync(join(from, 'big'), Buffer.alloc(400_000));
    symlinkSync('d/f', join(from, 'l'));
    const to = tempDir();
    await materialise(await openSource(from), to, { signal, owner: { uid: 2000, gid: 2000 } });
    for (const path of ['d', 'd/f', 'l', 'big']) {
      expect(lstatSync(join(to, path)), path).toMatchObject({ uid: 2000, gid: 2000 });
    }
  });

  it('reports progress in files', async () => {
    const events: UntimedEvent[] = [];
    const entries = Array.from({ length: 2500 }, (_, index) => file(`d/f${index}`, ''));
    await materialise(hostile(entries), tempDir(), { signal, report: (event) => events.push(event) });
    expect(events.map((event) => event.type === 'progress' && event.done)).toEqual([1000, 2000, 2500]);
  });
});

describe('attacks, should a reader let them through', () => {
  it('nothing is written through a link that came before', async () => {
    const victim = tempDir();
    const to = tempDir();
    const link = { kind: 'symlink', path: rel('out'), target: victim, mtimeMs: 0 } as const;
    await expect(materialise(hostile([link, file('out/file', 'x')]), to, { signal })).rejects.toMatchObject({
      code: 'SOURCE_UNSAFE',
    });
    await expect(
      materialise(hostile([{ kind: 'directory', path: rel('out/d'), mode: 0o755, mtimeMs: 0 }]), to, {
        signal,
      }),
    ).rejects.toMatchObject({ code: 'SOURCE_UNSAFE' });
    expect(readdirSync(victim)).toEqual([]);
  });

  it('nothing is written over a link, for small and large files', async () => {
    const victim = join(tempDir(), 'victim');
    writeFileSync(victim, 'mine');
    const from = tempDir();
    writeFileSync(join(from, 'big'), Buffer.alloc(400_000));
    for (const entry of [
      file('f', 'x'),
      { ...file('f', ''), sizeBytes: 400_000, hostPath: join(from, 'big') } as const,
    ]) {
      const to = tempDir();
      symlinkSync(victim, join(to, 'f'));
      await expect(materialise(hostile([entry]), to, { signal })).rejects.toMatchObject({
        code: 'SOURCE_UNSAFE',
      });
    }
    expect(readFileSync(victim, 'utf8')).toBe('mine');
  });

  it('a listed file that has become a link or a pipe is not followed or waited for', async () => {
    const from = tempDir();
    symlinkSync('/etc/hostname', join(from, 'link'));
    for (const sizeBytes of [10, 400_000]) {
      const entry = { ...file('f', ''), sizeBytes, hostPath: join(from, 'link') };
      await expect(materialise(hostile([entry]), tempDir(), { signal })).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
      });
    }
  });

  it('more than the limit stops early', async () => {
    const to = tempDir();
    const entries = [file('a', '12345'), file('b', '12345')];
    await expect(
      materialise(hostile(entries), to, { signal, limits: { maxBytes: 7 } }),
    ).rejects.toMatchObject({
      code: 'SOURCE_TOO_LARGE',
      details: { limit: 7, actual: 10 },
    });
    expect(existsSync(join(to, 'b'))).toBe(false);
  });
});

it('stops when it is cancelled, with large files under way', async () => {
  const from = tempDir();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) writeFileSync(join(from, name), Buffer.alloc(2_000_000));
  const abort = new AbortController();
  const source = await openSource(from);
  const counted = {
    description: 'counted',
    async *entries() {
      for await (const entry of source.entries({ signal })) {
        yield entry;
        if (entry.path === 'c') abort.abort();
      }
    },
  };
  await expect(materialise(counted, tempDir(), { signal: abort.signal })).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});
