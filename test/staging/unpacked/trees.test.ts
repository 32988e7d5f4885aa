/** What buildpacks install, unpacked once: as the kit would have it, verified, and never half. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unpack } from '../../../buildpacks/kit/extract.ts';
import { ContentStore } from '../../../src/staging/buildpack/acquire/content-store.ts';
import { UnpackedTrees } from '../../../src/staging/unpacked/trees.ts';
import { type Wish, wishesIn } from '../../../src/staging/unpacked/wish.ts';
import { systemClock } from '../../../src/words/clock.ts';

let temp: DirectoryResult;
let trees: UnpackedTrees;
const { signal } = new AbortController();
const at = (...names: string[]): string => join(temp.path, ...names);
const ENTRY = 'final/dependencies'.concat('/', 'a'.repeat(64));

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  trees = new UnpackedTrees(new ContentStore(at('unpacked'), systemClock));
});
afterEach(() => temp.cleanup());

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };
const mtime = new Date('1985-10-26T08:15:00Z');
const TOOL: readonly Entry[] = [
  { name: 'package/bin/tool', mode: 0o755, content: '#!/bin/sh' },
  { name: 'package/LICENSE', mode: 0o644, content: 'free' },
  { name: 'package/lib', type: 'directory', mode: 0o700 },
  { name: 'package/lib/a/index.js', mode: 0o664, content: 'x'.repeat(100_000) },
  { name: 'package/lib/empty', mode: 0o644, content: '' },
  { name: 'package/lib/link', type: 'symlink', linkname: '../bin/tool' },
];

/** An archive in a build cache, with the note that the kit leaves beside it. */
async function wishFor(entries: readonly Entry[], note: object = {}): Promise<Wish> {
  const dir = at('cache', ENTRY);
  await mkdir(dir, { recursive: true });
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry({ mtime, ...header }, content ?? '');
  tar.finalize();
  await pipeline(tar, createGzip(), createWriteStream(join(dir, 'tool.tgz')));
  const digest = createHash('sha512')
    .update(await readFile(join(dir, 'tool.tgz')))
    .digest('hex');
  const full = { algorithm: 'sha512', digest, strip: 1, only: null, file: 'tool.tgz', ...note };
  await writeFile(join(dir, 'unpacked.json'), JSON.stringify(full));
  const [wish] = await wishesIn(at('cache'));
  if (wish === undefined) throw new Error('the note is not read');
  return wish;
}

/** Paths with kind, mode, time and content; of directories the mode only. */
async function treeOf(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mode, mtimeMs } = await lstat(path);
    const facts = entry.isFile()
      ? [mtimeMs, await readFile(path, 'utf8')]
      : [entry.isSymbolicLink() ? await readlink(path) : ''];
    found.push([relative(root, path), mode.toString(8), ...facts].join(' '));
  }
  return found.sort();
}

async function treeFor(wish: Wish, told: string[] = []): Promise<string | undefined> {
  const held = await trees.hold(wish, signal, (path, why) => told.push(`${path}: ${why}`));
  await held?.release();
  return held?.dir;
}

describe('what is kept unpacked', () => {
  it.each([null, ['bin/tool', 'lib']])('is what the kit unpacks (only: %o)', async (only) => {
    const wish = await wishFor(TOOL, { only });
    expect(await treeFor(wish)).toBeUndefined();
    await trees.keep(wish, signal);
    const pick = (path: string) =>
      only === null || only.some((one) => path === one || path.startsWith(`${one}/`)) ? path : undefined;
    await unpack(wish.archive, at('kit'), { strip: 1, pick });
    const dir = await treeFor(wish);
    expect(await treeOf(dir ?? '')).toEqual(await treeOf(at('kit')));
    expect((await lstat(join(dir ?? '', '..'))).mode & 0o777).toBe(0o711);
  });

  it('is made once when twenty ask for it together, and is not written to again', async () => {
    const wish = await wishFor(TOOL);
    await Promise.all(Array.from({ length: 20 }, () => trees.keep(wish, signal)));
    expect(await readdir(at('unpacked/store'))).toHaveLength(1);
    const before = await lstat((await treeFor(wish)) ?? '');
    await trees.keep(wish, signal);
    expect((await lstat((await treeFor(wish)) ?? '')).ctimeMs).toBe(before.ctimeMs);
  });

  it.each<[string, (dir: string) => Promise<unknown>]>([
    ['a bit flipped', (dir) => writeFile(join(dir, 'LICENSE'), 'frei')],
    ['a file is missing', (dir) => rm(join(dir, 'lib/a/index.js'))],
    ['a file was added', (dir) => writeFile(join(dir, 'lib/b'), '')],
    [
      'a link leads elsewhere',
      (dir) => rm(join(dir, 'lib/link')).then(() => symlink('x', join(dir, 'lib/link'))),
    ],
  ])('is told, given up and made again when %s', async (_what, damage) => {
    const wish = await wishFor(TOOL);
    await trees.keep(wish, signal);
    const whole = await treeOf((await treeFor(wish)) ?? '');
    await damage((await treeFor(wish)) ?? '');
    const told: string[] = [];
    expect(await treeFor(wish, told)).toBeUndefined();
    expect(told).toHaveLength(1);
    await trees.keep(wish, signal);
    expect(await treeOf((await treeFor(wish)) ?? '')).toEqual(whole);
  });

  it('is not made of another archive than the note names', async () => {
    await expect(trees.keep(await wishFor(TOOL, { digest: 'ab'.repeat(64) }), signal)).rejects.toMatchObject({
      code: 'SOURCE_UNSAFE',
    });
    expect(existsSync(at('unpacked/store')) ? await readdir(at('unpacked/store')) : []).toEqual([]);
  });

  it.each<[string, Entry]>([
    ['a link out', { name: 'package/x', type: 'symlink', linkname: '../../etc/passwd' }],
    ['an absolute link', { name: 'package/x', type: 'symlink', linkname: '/etc/passwd' }],
    ['a name out', { name: 'package/../../x', content: '' }],
    ['a hard link', { name: 'package/x', type: 'link', linkname: 'package/LICENSE' }],
    ['a pipe', { name: 'package/x', type: 'fifo' }],
    ['a file that scripts could not read', { name: 'package/x', mode: 0o600, content: '' }],
  ])('is not made of an archive with %s', async (_what, entry) => {
    await expect(trees.keep(await wishFor([...TOOL, entry]), signal)).rejects.toMatchObject({
      code: 'SOURCE_UNSAFE',
    });
    expect(await readdir(at('unpacked/tmp'))).toEqual([]);
  });

  it('is not looked for through what a script put in the place of a note or an archive', async () => {
    const wish = await wishFor(TOOL);
    await writeFile(at('secret.tgz'), 'secret');
    await rm(wish.archive);
    await symlink(at('secret.tgz'), wish.archive);
    expect(await wishesIn(at('cache'))).toEqual([]);
    await wishFor(TOOL).catch(() => undefined);
    const good = { algorithm: 'sha512', digest: 'ab'.repeat(64), strip: 1, only: null, file: 'tool.tgz' };
    for (const bad of [
      { digest: 'zz' },
      { file: '../tool.tgz' },
      { file: '.tgz' },
      { file: 'unpacked.json' },
    ]) {
      await writeFile(at('cache', ENTRY, 'unpacked.json'), JSON.stringify({ ...good, ...bad }));
      expect(await wishesIn(at('cache'))).toEqual([]);
    }
    for (const note of ['{}', 'x']) {
      await writeFile(at('cache', ENTRY, 'unpacked.json'), note);
      expect(await wishesIn(at('cache'))).toEqual([]);
    }
    // Nor is one put back through a link to another directory.
    await writeFile(at('cache', ENTRY, 'unpacked.json'), JSON.stringify({ ...good, file: 'other.tgz' }));
    expect(await wishesIn(at('cache'))).toMatchObject([{ isThere: false }]);
    await rename(at('cache', ENTRY), at('cache/elsewhere'));
    await symlink('../../elsewhere', at('cache', ENTRY));
    expect(await wishesIn(at('cache'))).toEqual([]);
    await rm(at('cache/final'), { recursive: true });
    await symlink(at('elsewhere'), at('cache/final'));
    expect(await wishesIn(at('cache'))).toEqual([]);
  });

  it('is not looked for in a file that a script left in the place of a directory', async () => {
    for (const name of ['file', 'one/dependencies', 'two/dependencies/file']) {
      await mkdir(dirname(at('cache', name)), { recursive: true });
      await writeFile(at('cache', name), '');
      expect(await wishesIn(at('cache'))).toEqual([]);
    }
    await rm(at('cache'), { recursive: true });
    await writeFile(at('cache'), '');
    expect(await wishesIn(at('cache'))).toEqual([]);
  });

  it('goes when nobody asked for it in a month', async () => {
    const wish = await wishFor(TOOL);
    await trees.keep(wish, signal);
    await trees.sweep(signal);
    expect(await treeFor(wish)).toBeDefined();
    const old = Date.now() / 1000 - 31 * 24 * 3600;
    await utimes(at('unpacked/aliases', wish.key), old, old);
    await trees.sweep(signal);
    expect(await readdir(at('unpacked/store'))).toEqual([]);
  });

  it('is swept past directories where files belong', async () => {
    const wish = await wishFor(TOOL);
    await trees.keep(wish, signal);
    const strange = [at('unpacked/aliases/other/inside'), at('unpacked/leases/other/inside')];
    for (const path of strange) await mkdir(path, { recursive: true });
    await trees.sweep(signal);
    expect(strange.map((path) => existsSync(path))).toEqual([false, false]);
    expect(await treeFor(wish)).toBeDefined();
  });

  it('is whole or not there when its maker is killed at any moment', async () => {
    const wish = await wishFor(TOOL);
    for (let kill = 0; kill < Number(process.env['STAGER_TEST_KILLS'] ?? 3); kill += 1) {
      const victim = spawn(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          'test/support/tree-making-victim.ts',
          at('unpacked'),
          at('cache'),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const ended = once(victim, 'exit');
      await once(victim.stdout, 'data');
      const timer = setTimeout(() => victim.kill('SIGKILL'), Math.random() * 60);
      await ended;
      clearTimeout(timer);
      const told: string[] = [];
      await treeFor(wish, told);
      expect(told).toEqual([]);
      if (kill % 3 === 2) await rm(at('unpacked/aliases'), { recursive: true, force: true });
    }
    await trees.keep(wish, signal);
    await trees.sweep(signal);
    await unpack(wish.archive, at('kit'), { strip: 1 });
    expect(await treeOf((await treeFor(wish)) ?? '')).toEqual(await treeOf(at('kit')));
    expect(await readdir(at('unpacked/tmp'))).toEqual([]);
  });
});
