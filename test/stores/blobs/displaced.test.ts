import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';

const signal = new AbortController().signal;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-displaced-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

it.each(['packages', 'droplets', '.data', '.tmp'])(
  'a store whose %s is a file or a link to nowhere is not told as the fault of a name',
  async (name) => {
    const path = join(root, name);
    for (const make of [() => writeFile(path, ''), () => symlink('/nowhere/at/all', path)]) {
      await make();
      const store = await openBlobStore(root);
      const put = store.put(
        { kind: name === 'droplets' ? 'droplets' : 'packages', name: 'abcd' },
        Readable.from([Buffer.from('x')]),
        {
          contentType: 'text/plain',
          signal,
        },
      );
      await expect(put).rejects.toMatchObject({
        code: 'BLOBSTORE_UNAVAILABLE',
        message: expect.stringContaining(path),
      });
      await rm(path);
    }
  },
);

it('build caches start over where something else is in the place of their directory, which is kept', async () => {
  const path = join(root, 'buildpack_cache');
  const key = { kind: 'buildpack_cache', name: 'app/stack' } as const;
  for (const make of [() => writeFile(path, 'kept'), () => symlink('/nowhere/at/all', path)]) {
    await make();
    const store = await openBlobStore(root);
    await store.put(key, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', signal });
    expect(await store.stat(key, { signal })).toMatchObject({ sizeBytes: 1 });
    await rm(path, { recursive: true });
  }
  expect((await readdir(root)).filter((name) => name.endsWith('.replaced'))).toHaveLength(2);
});

it('an empty directory in the place of a key gives way', async () => {
  const key = { kind: 'buildpack_cache', name: 'app/stack' } as const;
  const store = await openBlobStore(root);
  await mkdir(fileURLToPath(store.location(key)), { recursive: true });
  await store.put(key, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', signal });
  expect(await store.stat(key, { signal })).toMatchObject({ sizeBytes: 1 });
});

it('a blob whose directory or data is gone or elsewhere is not told as one that never was', async () => {
  const key = { kind: 'droplets', name: 'abcd' } as const;
  const put = async () => {
    await rm(root, { recursive: true, force: true });
    const store = await openBlobStore(root);
    await store.put(key, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', signal });
    return store;
  };
  for (const name of ['.data', 'droplets']) {
    const path = join(root, name);
    for (const make of [
      () => writeFile(path, ''),
      () => symlink('/nowhere/at/all', path),
      () => symlink(path, path),
    ]) {
      const store = await put();
      await rm(path, { recursive: true });
      await make();
      await expect(store.get(key, { signal })).rejects.toMatchObject({
        code: 'BLOBSTORE_UNAVAILABLE',
        message: expect.stringContaining(path),
        next: expect.stringMatching(/^Mount/),
      });
    }
  }
  const store = await put();
  await rm(join(root, '.data'), { recursive: true });
  await expect(store.get(key, { signal })).rejects.toMatchObject({
    code: 'BLOB_NOT_FOUND',
    message: expect.stringContaining('the data of blob file:'),
    next: expect.stringContaining('Stage its app again'),
  });
  await rm(join(root, 'droplets'), { recursive: true });
  await expect(store.get(key, { signal })).rejects.toMatchObject({ code: 'BLOBSTORE_UNAVAILABLE' });
});

it('a directory in the place of data is not a reason not to store again, delete or sweep', async () => {
  const key = { kind: 'droplets', name: 'abcd' } as const;
  const store = await openBlobStore(root);
  const put = () => store.put(key, Readable.from([Buffer.from('x')]), { contentType: 'text/plain', signal });
  const displace = async () => {
    const data = await realpath(fileURLToPath(store.location(key)));
    await rm(data);
    await mkdir(join(data, 'in the way'), { recursive: true });
  };
  await put();
  await displace();
  await put();
  expect(await store.stat(key, { signal })).toMatchObject({ sizeBytes: 1 });
  await displace();
  await store.delete(key, { signal });
  expect(await store.stat(key, { signal })).toBeUndefined();
});
