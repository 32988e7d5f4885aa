import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey, BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { streamOf } from './contract.ts';

const signal = new AbortController().signal;
const contentType = 'application/gzip';
const key: BlobKey = { kind: 'droplets', name: 'abcd' };

let mount: string;
let store: BlobStore;
beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'stager-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount]);
  store = await openBlobStore(join(mount, 'store'));
});
afterEach(async () => {
  execFileSync('umount', [mount]);
  await rm(mount, { recursive: true });
});

const put = (name: string, bytes: Uint8Array) =>
  store.put({ kind: 'droplets', name }, streamOf(bytes), { contentType, signal });

describe.runIf(isRoot)(`a full disk${unlessRoot}`, () => {
  it('is said to be full, keeps what was there, and has room again after that', async () => {
    const kept = randomBytes(1_000_000);
    await put('abcd', kept);
    const failure = { code: 'BLOBSTORE_FULL', next: expect.stringContaining('gc') };
    await expect(put('abcd', randomBytes(6_000_000))).rejects.toMatchObject(failure);
    await expect(put('efgh', randomBytes(6_000_000))).rejects.toMatchObject(failure);
    expect((await buffer((await store.get(key, { signal })).body)).equals(kept)).toBe(true);
    const temporary = await readdir(join(mount, 'store/.tmp'), { recursive: true, withFileTypes: true });
    expect(temporary.filter((entry) => entry.isFile())).toEqual([]);
    await put('efgh', randomBytes(1_000_000));
  });

  it('can be collected to its last byte', async () => {
    await put('abcd', randomBytes(100_000));
    const data = await realpath(fileURLToPath(store.location(key)));
    const orphan = data.replace(/\.[0-9a-f]{16}\./, '.00000000000000ff.');
    await rename(data, orphan);
    await expect(writeFile(join(mount, 'filler'), Buffer.alloc(5_000_000))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    const { leftovers } = await collectGarbage(store, { signal, graceMs: 0 });
    expect(leftovers).toMatchObject([{ location: orphan, sizeBytes: 100_000 }]);
    await put('abcd', randomBytes(50_000));
  });

  it('gives no half package', async () => {
    const app = join(mount, 'app');
    await mkdir(app);
    await writeFile(join(app, 'large'), randomBytes(3_000_000));
    const source = await openSource(app);
    await expect(storePackage(source, { store, signal })).rejects.toMatchObject({ code: 'BLOBSTORE_FULL' });
    const found: string[] = [];
    for await (const { key: each } of store.names('packages', { signal })) found.push(each.name);
    expect(found).toEqual([]);
  });
});

describe.runIf(isRoot)(`a read-only store${unlessRoot}`, () => {
  it('is read, and refuses to be written with what to do', async () => {
    const bytes = randomBytes(100_000);
    await put('abcd', bytes);
    execFileSync('mount', ['-o', 'remount,ro', mount]);
    store = await openBlobStore(join(mount, 'store'));
    expect((await buffer((await store.get(key, { signal })).body)).equals(bytes)).toBe(true);
    const failure = { code: 'BLOBSTORE_DENIED', message: expect.stringContaining('read-only') };
    await expect(put('efgh', bytes)).rejects.toMatchObject(failure);
    await expect(store.delete(key, { signal })).rejects.toMatchObject(failure);
    expect(await store.probe({ signal })).toMatchObject({ readable: true, writable: false });
    expect(await store.stat(key, { signal })).toMatchObject({ sizeBytes: 100_000 });
    // Another process has no directory for temporary files yet.
    execFileSync('mount', ['-o', 'remount,rw', mount]);
    await rm(join(mount, 'store/.tmp'), { recursive: true });
    execFileSync('mount', ['-o', 'remount,ro', mount]);
    await expect(put('efgh', bytes)).rejects.toMatchObject(failure);
  });
});
