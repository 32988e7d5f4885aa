/** Trees of packages as lists: what has to be done to make one of another, and what is kept of them. */
import { appendFile, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { difference } from '../../../src/staging/layers/difference.ts';
import { LayerEntries } from '../../../src/staging/layers/entries.ts';
import { LayerStore } from '../../../src/staging/layers/store.ts';
import { whyUnfit } from '../../../src/staging/layers/unfit.ts';
import type { ListedEntry } from '../../../src/staging/package/listing.ts';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { systemClock } from '../../../src/words/clock.ts';
import { isRefused, newGuid, parseRelPath } from '../../../src/words/ids.ts';

const path = (text: string) => {
  const parsed = parseRelPath(text);
  if (isRefused(parsed)) throw new Error(parsed.refused);
  return parsed;
};
const file = (
  name: string,
  content = name,
  more: Partial<{ mode: number; mtimeMs: number }> = {},
): ListedEntry => ({
  ...{ kind: 'file', path: path(name), mode: 0o644, mtimeMs: 1_000.5 },
  ...digestsOf(Buffer.from(content)),
  ...more,
});
const directory = (name: string, mtimeMs = 1, mode = 0o755): ListedEntry => ({
  ...{ kind: 'directory', path: path(name), mode, mtimeMs },
});
const link = (name: string, target: string): ListedEntry => ({
  ...{ kind: 'symlink', path: path(name), target, mtimeMs: 1 },
});
const between = async (old: readonly ListedEntry[], now: readonly ListedEntry[]) => {
  const change = difference(await LayerEntries.of(old), await LayerEntries.of(now));
  return { removed: change?.removed, written: change?.written.map((entry) => entry.path.toString()) };
};

describe('the difference of two packages', () => {
  const app = [directory('a'), file('a/x'), file('a/y'), file('b/implied/z'), link('l', 'a/x')];

  it('is nothing for equal ones', async () => {
    expect(await between(app, [...app])).toEqual({ removed: [], written: [] });
  });

  it.each([
    ['content', file('a/x', 'other')],
    ['mode', file('a/x', 'a/x', { mode: 0o755 })],
    ['time', file('a/x', 'a/x', { mtimeMs: 1_000.75 })],
    ['kind', link('a/x', 'y')],
  ])('has a file of another %s, and the directory in which it is replaced', async (_, other) => {
    const now = app.map((entry) => (entry.path.toString() === 'a/x' ? other : entry));
    expect(await between(app, now)).toEqual({ removed: ['a/x'], written: ['a', 'a/x'] });
  });

  it('has what is new with the directories above, and what is gone once', async () => {
    const now = [...app.filter((entry) => !/^a/.test(entry.path)), file('b/implied/new/file')];
    const written = ['b', 'b/implied', 'b/implied/new', 'b/implied/new/file'];
    expect(await between(app, now)).toEqual({ removed: ['a'], written });
  });

  it('turns a directory into a file and a file into a directory', async () => {
    const now = [file('a'), file('b/implied/z/below'), link('l', 'a/x')];
    const written = ['a', 'b', 'b/implied', 'b/implied/z', 'b/implied/z/below'];
    expect(await between(app, now)).toEqual({ removed: ['a', 'b/implied/z'], written });
  });

  it('leaves a directory of another mode or time where it is', async () => {
    expect(await between(app, [directory('a', 2, 0o700), ...app.slice(1)])).toEqual({
      removed: [],
      written: ['a'],
    });
  });
});

describe('the list of a tree', () => {
  it('is read back as it was, under its own name only', async () => {
    const own = [file('ä/file', 'x'), link('l', '../away/ü'), directory('z', 1.25)];
    const entries = await LayerEntries.of(own);
    const kept = Buffer.concat(entries.pieces);
    const found = LayerEntries.parse(kept, entries.id);
    const implied = { kind: 'directory', path: 'ä', mode: 0o755, mtimeMs: undefined };
    const { sha256, sizeBytes } = digestsOf(Buffer.from('x'));
    const first = { kind: 'file', path: 'ä/file', mode: 0o644, mtimeMs: 1_000.5, sizeBytes, sha256 };
    expect([...(found ?? [])]).toEqual([own[1], own[2], implied, first]);
    expect(found?.equals(entries)).toBe(true);
    const other = await LayerEntries.of([file('other')]);
    expect(LayerEntries.parse(kept, other.id)).toBeUndefined();
    expect(LayerEntries.parse(kept.subarray(1), entries.id)).toBeUndefined();
  });
});

describe('a package that can not be a tree', () => {
  it('has a time that file systems do not keep', async () => {
    const odd = await LayerEntries.of([file('fine'), file('old', 'x', { mtimeMs: -1 })]);
    expect(await whyUnfit(odd, 'app')).toBe('the time of old is out of range');
  });

  it('has a directory whose path the kernel can not keep when it is renamed; a file may be anywhere', async () => {
    const long = 'd'.repeat(125);
    const fits = [directory(long), directory(`${long}/${long}`), file(`${long}/${long}/${'f'.repeat(200)}`)];
    expect(await whyUnfit(await LayerEntries.of(fits), 'app')).toBeUndefined();
    const deeper = await LayerEntries.of([...fits.slice(0, 1), file(`${long}/${long}x/file`)]);
    expect(await whyUnfit(deeper, 'app')).toContain('could not be renamed');
  });
});

describe('the store of trees', () => {
  let temp: DirectoryResult;
  let store: LayerStore;
  const { signal } = new AbortController();
  const app = newGuid();
  let entries: LayerEntries;
  const damage: string[] = [];
  const recall = (guid = app) => store.recall(guid, (why) => damage.push(why));
  const add = async (guid = app, listed = entries, content = 'image'): Promise<void> => {
    await using draft = await store.begin();
    await writeFile(draft.image, content);
    await draft.publish(guid, listed, signal);
  };
  beforeEach(async () => {
    entries = await LayerEntries.of([file('one')]);
    temp = await tempDir({ unsafeCleanup: true });
    store = new LayerStore(join(temp.path, 'layers'), systemClock);
    damage.length = 0;
  });
  afterEach(() => temp.cleanup());

  it('shows a tree when it is published, and nothing of one that is not', async () => {
    {
      await using draft = await store.begin();
      await writeFile(draft.image, 'half');
      expect(await recall()).toBeUndefined();
    }
    expect(await readdir(join(store.root, 'tmp'))).toEqual([]);
    await add();
    expect((await recall())?.entries.pathAt(0)).toBe('one');
    expect(damage).toEqual([]);
  });

  it.each([
    ['image', 'its image was written to'],
    ['entries', 'the list of what is in it was written to'],
    ['seal', 'it has no seal'],
  ])('gives up a tree whose %s was written to, or is gone', async (part, why) => {
    for (const how of ['written', 'gone'] as const) {
      await add();
      const [id = ''] = await readdir(join(store.root, 'trees'));
      const target = join(store.root, 'trees', id, part);
      if (how === 'written') await appendFile(target, '!');
      else await rm(target);
      expect(await recall()).toBeUndefined();
      expect(damage.pop()).toBe(how === 'written' ? why : "a part of it can't be read (ENOENT)");
      expect(await readdir(join(store.root, 'trees'))).toEqual([]);
    }
  });

  it('keeps one tree for equal packages, and removes what no app refers to', async () => {
    const second = newGuid();
    await add();
    await add(second);
    expect(await readdir(join(store.root, 'trees'))).toHaveLength(1);
    await add(app, await LayerEntries.of([file('other')]));
    await add(second, await LayerEntries.of([file('other')]));
    expect(await store.sweep(signal)).toMatchObject({ trees: 1 });
    expect(await readdir(join(store.root, 'trees'))).toHaveLength(1);
  });

  it('removes the trees of apps that were not staged for long, then the oldest of too many', async () => {
    const [old, older, young] = [newGuid(), newGuid(), newGuid()];
    for (const [guid, name] of [
      [old, 'a'],
      [older, 'b'],
      [young, 'c'],
    ] as const)
      await add(guid, await LayerEntries.of([file(name)]), 'x'.repeat(8192));
    const aged = async (guid: string, days: number): Promise<void> => {
      const then = Date.now() / 1000 - days * 24 * 3600;
      await utimes(join(store.root, 'apps', guid), then, then);
    };
    await aged(old, 10);
    await aged(older, 40);
    expect(await store.sweep(signal)).toMatchObject({ trees: 2 });
    expect(await recall(older)).toBeUndefined();
    await aged(old, 10);
    expect(await store.sweep(signal, { maxBytes: 8192, maxAgeMs: Number.POSITIVE_INFINITY })).toMatchObject({
      trees: 1,
    });
    expect(await recall(young)).toBeDefined();
    expect(await recall(old)).toBeUndefined();
    expect(damage).toEqual([]);
  });

  it('takes what is not its own for nothing', async () => {
    await mkdir(join(store.root, 'apps'), { recursive: true });
    await writeFile(join(store.root, 'apps', app), 'no JSON');
    expect(await recall()).toBeUndefined();
    expect(await store.sweep(signal)).toEqual({ trees: 0, bytes: 0 });
    expect(await readFile(join(store.root, 'apps', app), 'utf8').catch(() => 'gone')).toBe('gone');
  });
});
