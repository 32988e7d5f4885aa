import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { restoreBuildCache, saveBuildCache } from '../../../src/staging/build-cache/tarball.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import { put, scratch } from '../droplet/trees.ts';

const { signal } = new AbortController();
const key = { kind: 'buildpack_cache', name: 'app/stack' } as const;

describe('a build cache', () => {
  it('comes back as it was saved, and is neither packed nor uploaded again while it does not change', async () => {
    using dir = scratch();
    const place = { store: new DirectoryBlobStore(dir.at('blobs')), key };
    put(dir.at('cache', 'final', 'node.tgz'), 'node');
    const saved = await saveBuildCache(dir.at('cache'), place, { signal });
    expect(saved.outcome).toBe('saved');
    expect(await restoreBuildCache(dir.at('restored'), place, { signal })).toMatchObject({
      outcome: 'restored',
    });
    expect(readFileSync(dir.at('restored', 'final', 'node.tgz'), 'utf8')).toBe('node');
    utimesSync(dir.at('restored', 'final', 'node.tgz'), 1, 1);
    const again = await saveBuildCache(dir.at('restored'), place, { signal });
    expect(again.outcome).toBe('unchanged');
    expect(again.info.sha256).toBe(saved.info.sha256);
  });

  it.each([
    ['content', (file: string) => put(file, 'NODE')],
    ['mode', (file: string) => chmodSync(file, 0o755)],
    ['set of files', (file: string) => put(`${file}.more`, '')],
  ])('is saved again when its %s changed', async (_what, change) => {
    using dir = scratch();
    const place = { store: new DirectoryBlobStore(dir.at('blobs')), key };
    put(dir.at('cache', 'final', 'file'), 'node');
    await saveBuildCache(dir.at('cache'), place, { signal });
    change(dir.at('cache', 'final', 'file'));
    expect((await saveBuildCache(dir.at('cache'), place, { signal })).outcome).toBe('saved');
    expect((await saveBuildCache(dir.at('cache'), place, { signal })).outcome).toBe('unchanged');
  });

  it('is saved again when somebody else replaced the stored one', async () => {
    using dir = scratch();
    const place = { store: new DirectoryBlobStore(dir.at('blobs')), key };
    put(dir.at('cache', 'file'), 'node');
    await saveBuildCache(dir.at('cache'), place, { signal });
    await place.store.put(key, Readable.from([Buffer.from('other')]), { contentType: 'x/y', signal });
    expect((await saveBuildCache(dir.at('cache'), place, { signal })).outcome).toBe('saved');
  });

  it('that is absent or broken is told, not thrown', async () => {
    using dir = scratch();
    const place = { store: new DirectoryBlobStore(dir.at('blobs')), key };
    mkdirSync(dir.at('cache'));
    expect(await restoreBuildCache(dir.at('cache'), place, { signal })).toEqual({ outcome: 'absent' });
    await place.store.put(key, Readable.from([Buffer.from('no tarball')]), { contentType: 'x/y', signal });
    const restored = await restoreBuildCache(dir.at('cache'), place, { signal });
    expect(restored).toMatchObject({ outcome: 'broken', reason: { code: 'DROPLET_INVALID' } });
    expect(existsSync(dir.at('cache', 'file'))).toBe(false);
  });
});
