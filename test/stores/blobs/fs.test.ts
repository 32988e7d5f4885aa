import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifyBlobs } from '../../../src/stores/blobs/admin.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey } from '../../../src/stores/blobs/port/blob-store.ts';
import { blobStoreContract, streamOf } from './contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';

/** But for the marks of the store. */
async function filesBelow(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('/.stager'));
}

describe('the directory store', () => {
  blobStoreContract(async () => {
    const root = await mkdtemp(join(tmpdir(), 'stager-blobs-'));
    const store = await openBlobStore(`file://${root}`);
    const dataOf = (key: BlobKey): Promise<string> => realpath(fileURLToPath(store.location(key)));
    return {
      store,
      leftovers: () => filesBelow(root),
      truncate: async (key, length) => truncate(await dataOf(key), length),
      corrupt: async (key, offset) => {
        const file = await open(await dataOf(key), 'r+');
        const one = Buffer.alloc(1);
        await file.read(one, 0, 1, offset);
        one[0] = (one[0] ?? 0) ^ 1;
        await file.write(one, 0, 1, offset);
        await file.close();
      },
      close: () => rm(root, { recursive: true, force: true }),
    };
  }, 3_000_000);
});

describe('what a directory store keeps on disk', () => {
  let root: string;
  const key: BlobKey = { kind: 'droplets', name: 'abcdef01/0123' };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'stager-blobs-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  it('is readable by other programs at the path of the key', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    expect(await readFile(join(root, 'droplets/ab/cd/abcdef01/0123'), 'utf8')).toBe('hello');
  });

  it('shares the file when it is said to be immutable', async () => {
    const store = await openBlobStore(join(root, 'store'));
    const path = join(root, 'droplet');
    await writeFile(path, 'hello');
    await store.putFile(key, path, { contentType, signal, immutable: true });
    expect((await lstat(path)).nlink).toBe(2);
  });

  it('sweeps the files of a killed writer and data without a key, and never what is young', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    const dead = join(root, '.tmp', 'elsewhere.0.0.4194000.1', 'half');
    await mkdir(dirname(dead), { recursive: true });
    await writeFile(dead, 'half');
    const data = await realpath(join(root, 'droplets/ab/cd/abcdef01/0123'));
    const orphan = data.replace(/\.[0-9a-f]{16}\./, '.00000000000000ff.');
    await writeFile(orphan, 'hello');
    await utimes(orphan, 1, 1);
    expect(await store.sweep({ signal, minAgeMs: 60_000 })).toEqual([]);
    const dry = await store.sweep({ signal, minAgeMs: 0, dryRun: true });
    expect(dry.map(({ what }) => what)).toEqual(['temporary file', 'unreferenced data']);
    expect(await filesBelow(root)).toHaveLength(4);
    await store.sweep({ signal, minAgeMs: 0 });
    expect(await filesBelow(root)).toHaveLength(2);
    expect((await buffer((await store.get(key, { signal })).body)).toString()).toBe('hello');
  });

  it('stores while sweeps without a minimum age run, and while somebody removes its empty temporary directory', async () => {
    const store = await openBlobStore(root);
    let storing = true;
    const sweeping = Array.from({ length: 3 }, async () => {
      while (storing) await store.sweep({ signal, minAgeMs: 0 });
    });
    const removing = (async () => {
      while (storing)
        for (const owner of await readdir(join(root, '.tmp')).catch(() => []))
          await rmdir(join(root, '.tmp', owner)).catch(() => undefined);
    })();
    try {
      for (let n = 0; n < 40; n++) {
        const name = `abcdef01/${n % 7}`;
        await store.put({ kind: 'droplets', name }, streamOf(Buffer.from(`${n}`)), { contentType, signal });
        const { body } = await store.get({ kind: 'droplets', name }, { signal });
        expect((await buffer(body)).toString()).toBe(`${n}`);
      }
    } finally {
      storing = false;
      await Promise.all([...sweeping, removing]);
    }
  });

  it('can be listed at any moment while its first blob is stored', async () => {
    for (let round = 0; round < 20; round++) {
      const fresh = await openBlobStore(join(root, `fresh-${round}`));
      let isStored = false;
      const key: BlobKey = { kind: 'droplets', name: 'one' };
      const storing = fresh.put(key, streamOf(Buffer.from('x')), { contentType, signal }).finally(() => {
        isStored = true;
      });
      while (!isStored)
        for await (const found of fresh.names('droplets', { signal })) expect(found.key).toEqual(key);
      await storing;
    }
  });

  it('keeps the empty temporary directory of a living process when it sweeps', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    const owners = await readdir(join(root, '.tmp'));
    await mkdir(join(root, '.tmp', 'elsewhere.0.0.4194000.1'));
    await store.sweep({ signal, minAgeMs: 0 });
    expect(await readdir(join(root, '.tmp'))).toEqual(owners);
  });

  it('keeps the data of a kind of blobs that a newer stager knows', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    await rename(join(root, 'droplets'), join(root, 'pictures'));
    await rename(join(root, '.stager/droplets'), join(root, '.stager/pictures'));
    await store.sweep({ signal, minAgeMs: 0 });
    expect(await readFile(join(root, 'pictures/ab/cd/abcdef01/0123'), 'utf8')).toBe('hello');
  });

  it('makes nothing when there is nothing to sweep', async () => {
    const store = await openBlobStore(join(root, 'none'));
    expect(await store.sweep({ signal, minAgeMs: 0 })).toEqual([]);
    expect(await readdir(root)).toEqual([]);
  });

  it('reports a key that has lost its bytes when it is verified', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    await rm(await realpath(fileURLToPath(store.location(key))));
    const { damaged, checked } = await verifyBlobs(store, { signal });
    expect(damaged).toEqual([{ key, location: store.location(key), problem: 'its bytes are gone' }]);
    expect(checked).toBe(1);
    await store.delete(key, { signal });
    expect((await verifyBlobs(store, { signal })).damaged).toEqual([]);
  });

  it('reads as absent when the data of a key is gone', async () => {
    const store = await openBlobStore(root);
    await store.put(key, streamOf(Buffer.from('hello')), { contentType, signal });
    await rm(await realpath(join(root, 'droplets/ab/cd/abcdef01/0123')));
    expect(await store.stat(key, { signal })).toBeUndefined();
    const listed = [];
    for await (const info of store.list('droplets', { signal })) listed.push(info);
    expect(listed).toEqual([]);
    await store.put(key, streamOf(Buffer.from('again')), { contentType, signal });
    expect((await buffer((await store.get(key, { signal })).body)).toString()).toBe('again');
  });

  it('says so when the directory is a file', async () => {
    const path = join(root, 'file');
    await writeFile(path, '');
    await expect(openBlobStore(path)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(path),
    });
  });

  it.each([
    'http://host/x',
    'ftp://u:secret@host/x',
    'https://u:secret/with-a-slash@host/x',
    's3:/key:secret@bucket/x',
    's3:bucket',
    '',
  ])('refuses the address %j', async (address) => {
    const refused = openBlobStore(address);
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(refused).rejects.not.toThrow(/secret/);
  });
});
