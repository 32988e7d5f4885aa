import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PackageResult, storePackage } from '../../../src/staging/package/create.ts';
import { SMALL_BYTES } from '../../../src/staging/package/fingerprint.ts';
import { openPackage } from '../../../src/staging/package/open.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { LARGE_BYTES } from '../../../src/stores/resource-cache/pack-writer.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { appAndStore, type CreateOptions, createOf, whole } from './app.ts';
import { contentsOf, namesOf, signal, writeZip } from './support.ts';

let root: string;
let app: string;
let store: BlobStore;
beforeEach(async () => {
  ({ root, app, store } = await appAndStore());
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const create = (options: CreateOptions = {}): Promise<PackageResult> => createOf({ app, store }, options);

describe('creating a package', () => {
  it('keeps files, modes, links and empty directories, and says what happened', async () => {
    const result = await create();
    expect(result).toMatchObject({
      files: 5,
      directories: 2,
      symlinks: 1,
      bytes: 22,
      matchedFiles: 0,
      sentFiles: 5,
    });
    expect(await contentsOf(store, result.guid)).toEqual(whole);
    expect((await openPackage(result.guid, { store, signal })).header).toMatchObject({
      tenant: 'local',
      files: 5,
    });
  });

  it('sends nothing but the listing when nothing changed, and one file when one did', async () => {
    const first = await create();
    const second = await create();
    expect(second).toMatchObject({ matchedFiles: 5, sentFiles: 0, sentBytes: 0 });
    expect(await contentsOf(store, second.guid)).toEqual(whole);
    await writeFile(join(app, 'index.js'), 'changed');
    const third = await create();
    expect(third).toMatchObject({ matchedFiles: 4, sentFiles: 1 });
    expect(await contentsOf(store, third.guid)).toEqual({ ...whole, 'index.js': '644 changed' });
    expect(await contentsOf(store, first.guid)).toEqual(whole);
  });

  it('packages an archive as the directory that it holds', async () => {
    const zip = join(root, 'app.zip');
    await writeZip(zip, {
      'a.txt': { content: 'A' },
      'd/': {},
      'd/b.sh': { content: 'B', mode: 0o755 },
      l: { link: 'a.txt' },
    });
    const result = await storePackage(await openSource(zip), { store, signal });
    expect(await contentsOf(store, result.guid)).toMatchObject({
      'a.txt': '644 A',
      'd/b.sh': '755 B',
      l: '-> a.txt',
    });
    const again = await storePackage(await openSource(zip), { store, signal });
    expect(again).toMatchObject({ sentFiles: 0 });
  });

  it.each([
    ['vanishes', async () => undefined],
    ['becomes a directory', (path: string) => mkdir(path)],
    ['becomes a pipe', async (path: string) => void execFileSync('mkfifo', [path])],
    ['becomes a link', (path: string) => symlink(join(app, 'run.sh'), path)],
    ['grows', (path: string) => writeFile(path, Buffer.alloc(LARGE_BYTES + 9))],
  ])('says that a file changed which %s after it was read, whatever its size', async (_how, become) => {
    for (const size of [10, SMALL_BYTES + 1, LARGE_BYTES]) {
      const path = join(app, 'index.js');
      await rm(path, { recursive: true, force: true });
      await writeFile(path, randomBytes(size));
      const names = store.names.bind(store);
      let isMatching = false;
      store.names = async function* (kind, options) {
        if (kind === 'resources' && !isMatching) {
          isMatching = true;
          await rm(path);
          await become(path);
        }
        yield* names(kind, options);
      };
      await expect(create()).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        details: { path: 'index.js' },
      });
    }
  });

  it('gives equal packages equal listings but for guid and date', async () => {
    const [one, two] = [await create(), await create()];
    const lines = async ({ guid }: PackageResult): Promise<string[]> => {
      const { fileURLToPath } = await import('node:url');
      const text = await readFile(fileURLToPath(store.location({ kind: 'packages', name: guid })), 'utf8');
      return text.split('\n').slice(1);
    };
    expect(await lines(one)).toEqual(await lines(two));
  });

  it('keeps tenants apart', async () => {
    await create({ tenant: 'space-a' });
    expect(await create({ tenant: 'space-b' })).toMatchObject({ matchedFiles: 0, sentFiles: 5 });
  });

  it('leaves no lease and no temporary file', async () => {
    await create();
    expect((await namesOf(store, 'packages')).filter((name) => name.startsWith('leases/'))).toEqual([]);
    const entries = await readdir(join(root, 'store/.tmp'), { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile())).toEqual([]);
  });

  it('works when two clients push the same new files at once', async () => {
    const results = await Promise.all([create(), create(), create()]);
    for (const { guid } of results) expect(await contentsOf(store, guid)).toEqual(whole);
  });

  it('says that there is no such package', async () => {
    await expect(openPackage(newGuid(), { store, signal })).rejects.toMatchObject({
      code: 'PACKAGE_NOT_FOUND',
    });
  });

  it('fails cleanly when a content is gone, and heals with the next upload', async () => {
    const { guid } = await create();
    for (const name of await namesOf(store, 'resources')) {
      if (name.includes('/packs/')) await store.delete({ kind: 'resources', name }, { signal });
    }
    await expect(contentsOf(store, guid)).rejects.toMatchObject({ code: 'RESOURCE_MISSING' });
    const again = await create();
    expect(again.sentFiles).toBe(5);
    expect(await contentsOf(store, again.guid)).toEqual(whole);
  });
});
