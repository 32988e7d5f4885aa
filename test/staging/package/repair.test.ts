import { mkdir, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { packageKey } from '../../../src/staging/package/listing.ts';
import { type BrokenPackage, brokenPackages, repairPools } from '../../../src/staging/package/repair.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import type { Guid } from '../../../src/words/ids.ts';
import { contentsOf, namesOf, signal } from './support.ts';

let root: string;
let store: BlobStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-broken-'));
  store = await openBlobStore(join(root, 'store'));
  await mkdir(join(root, 'app'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const create = async (content: string, tenant = 'local'): Promise<Guid> => {
  await writeFile(join(root, 'app/file'), content);
  return (await storePackage(await openSource(join(root, 'app')), { store, signal, tenant })).guid;
};
const broken = async (): Promise<BrokenPackage[]> => {
  const found: BrokenPackage[] = [];
  for await (const item of brokenPackages({ store, signal })) found.push(item);
  return found;
};
const remove = async (what: string): Promise<void> => {
  for (const name of await namesOf(store, 'resources'))
    if (name.includes(what)) await store.delete({ kind: 'resources', name }, { signal });
};

describe('packages whose contents are not there', () => {
  it('are none in a store that is whole', async () => {
    await create('one');
    await create('two', 'space-2');
    expect(await broken()).toEqual([]);
  });

  it('are named, with what is missing', async () => {
    const [one] = [await create('one', 'space-1'), await create('two', 'space-2')];
    await remove('space-1/packs/');
    expect(await broken()).toEqual([{ guid: one, missingFiles: 1, path: 'file' }]);
    await truncate(await realpath(fileURLToPath(store.location(packageKey(one)))), 20);
    expect(await broken()).toEqual([{ guid: one, missingFiles: undefined }]);
  });

  it('come back when the lost index of every tenant is made again, though garbage was collected meanwhile', async () => {
    const [one, two] = [await create('one', 'space-1'), await create('two', 'space-2')];
    await remove('/index/');
    await expect(contentsOf(store, one)).rejects.toMatchObject({ code: 'RESOURCE_MISSING' });
    expect(await broken()).toHaveLength(2);
    for (let n = 0; n < 3; n++)
      expect(await collectGarbage(store, { signal, graceMs: 0 })).toMatchObject({ missingContents: 2 });
    const repaired = { addedPacks: 1, addedContents: 1, damagedSegments: 0 };
    expect(await repairPools(store, { signal })).toMatchObject([repaired, repaired]);
    expect(await broken()).toEqual([]);
    expect(await contentsOf(store, one)).toEqual({ file: '644 one' });
    expect(await contentsOf(store, two)).toEqual({ file: '644 two' });
  });
});
