/** Archives that lie beside a build cache instead of in it. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { restoreBuildCache, saveBuildCache } from '../../../src/staging/build-cache/tarball.ts';
import { dropOtherArchives, restoreArchive, storeArchives } from '../../../src/staging/unpacked/archives.ts';
import { type Wish, wishesIn } from '../../../src/staging/unpacked/wish.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import { put, scratch } from '../droplet/trees.ts';

const { signal } = new AbortController();
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const key = { kind: 'buildpack_cache', name: 'app/stack/order' } as const;
let dir: ReturnType<typeof scratch>;

beforeEach(() => {
  dir = scratch();
  return () => dir[Symbol.dispose]();
});

const placeOf = () => ({ store: new DirectoryBlobStore(dir.at('blobs')), key });

async function wishFor(content: string, digest = createHash('sha256').update(content).digest('hex')) {
  const note = { algorithm: 'sha256', digest, strip: 1, only: null, file: 'tool.tgz' };
  put(dir.at('cache/final/dependencies/one/unpacked.json'), JSON.stringify(note));
  put(dir.at('cache/final/dependencies/one/tool.tgz'), content);
  return await wishesIn(dir.at('cache'));
}

async function names(): Promise<string[]> {
  const found: string[] = [];
  for await (const one of placeOf().store.names('buildpack_cache', { signal })) found.push(one.key.name);
  return found;
}

describe('an archive that a note asks to be unpacked', () => {
  it('is stored apart from the cache, once, and put back where it was', async () => {
    const wishes = await wishFor('archive');
    const [stored] = await storeArchives(wishes, placeOf(), { signal });
    const leaveOut = (name: string): boolean => name === `./${stored?.path}`;
    await saveBuildCache(dir.at('cache'), placeOf(), { signal, leaveOut });
    await restoreBuildCache(dir.at('restored'), placeOf(), { signal });
    const [wish] = await wishesIn(dir.at('restored'));
    expect(wish?.isThere).toBe(false);
    expect((await saveBuildCache(dir.at('restored'), placeOf(), { signal })).outcome).toBe('unchanged');
    if (wish !== undefined) await restoreArchive(wish, placeOf(), { owner, signal });
    expect(readFileSync(dir.at('restored/final/dependencies/one/tool.tgz'), 'utf8')).toBe('archive');
    expect(await wishesIn(dir.at('restored'))).toMatchObject([{ isThere: true, key: wish?.key }]);
  });

  it('stays in the cache when it is another one than its note says', async () => {
    expect(await storeArchives(await wishFor('archive', 'ab'.repeat(32)), placeOf(), { signal })).toEqual([]);
    expect(await names()).toEqual([]);
  });

  it('goes when the cache does not ask for it any more', async () => {
    const old = await storeArchives(await wishFor('old'), placeOf(), { signal });
    const now = await storeArchives(await wishFor('new'), placeOf(), { signal });
    await dropOtherArchives(now, placeOf(), signal);
    expect(await names()).toEqual([`app/stack/order.archives/${now[0]?.digest}`]);
    expect(old[0]?.digest).not.toBe(now[0]?.digest);
  });

  it.each<[string, (wish: Wish) => void]>([
    ['it is not stored', () => rmSync(dir.at('blobs/buildpack_cache'), { recursive: true })],
    ['its directory is gone', (wish) => rmSync(dirname(wish.archive), { recursive: true })],
  ])('is left to be downloaded when %s', async (_what, change) => {
    const [wish] = await storeArchives(await wishFor('archive'), placeOf(), { signal });
    if (wish === undefined) throw new Error('it is not stored');
    rmSync(wish.archive);
    change(wish);
    await restoreArchive(wish, placeOf(), { owner, signal });
    expect(existsSync(wish.archive)).toBe(false);
  });

  it('is stored again when the stored one is damaged, or can not be looked at', async () => {
    const [wish] = await storeArchives(await wishFor('archive'), placeOf(), { signal });
    if (wish === undefined) throw new Error('it is not stored');
    const [name = ''] = await names();
    const stored = globSync(dir.at('blobs/buildpack_cache/**', basename(name)))[0] ?? '';
    const damages = [
      () => writeFileSync(realpathSync(stored), 'ARCHIVE'),
      () => {
        rmSync(stored);
        symlinkSync(basename(stored), stored);
      },
    ];
    for (const damage of damages) {
      damage();
      rmSync(wish.archive);
      await restoreArchive(wish, placeOf(), { owner, signal });
      expect(existsSync(wish.archive)).toBe(false);
      writeFileSync(wish.archive, 'archive');
      await storeArchives([wish], placeOf(), { signal });
      rmSync(wish.archive);
      await restoreArchive(wish, placeOf(), { owner, signal });
      expect(readFileSync(wish.archive, 'utf8')).toBe('archive');
    }
  });

  it('is stored again for who asks for it', async () => {
    const wishes = await wishFor('archive');
    await storeArchives(wishes, placeOf(), { signal });
    const [name = ''] = await names();
    const key = { kind: 'buildpack_cache', name } as const;
    await placeOf().store.put(key, Readable.from(['other']), { contentType: 'x/y', signal });
    await storeArchives(wishes, placeOf(), { signal });
    expect((await placeOf().store.stat(key, { signal }))?.sizeBytes).toBe(5);
    await storeArchives(wishes, placeOf(), { signal, replace: true });
    expect((await placeOf().store.stat(key, { signal }))?.sizeBytes).toBe(7);
  });

  it('is not written through a link that a script left in its place', async () => {
    const [wish] = await storeArchives(await wishFor('archive'), placeOf(), { signal });
    if (wish === undefined) throw new Error('it is not stored');
    rmSync(wish.archive);
    writeFileSync(dir.at('secret'), 'secret');
    symlinkSync(dir.at('secret'), wish.archive);
    await restoreArchive(wish, placeOf(), { owner, signal });
    expect(readFileSync(dir.at('secret'), 'utf8')).toBe('secret');
  });
});
