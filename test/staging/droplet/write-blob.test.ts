import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { writeBlobTo } from '../../../src/staging/droplet/store.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import { digestsOf } from '../../../src/stores/blobs/port/digests.ts';
import { StagerError } from '../../../src/words/errors.ts';

it('is cancelled, and leaves no file, when a signal comes while the store is silent', async () => {
  const root = await mkdtemp(join(tmpdir(), 'stager-write-blob-'));
  const controller = new AbortController();
  const key = { kind: 'droplets', name: 'abcd' } as const;
  class Silent extends DirectoryBlobStore {
    override async get() {
      const body = new Readable({ read: () => queueMicrotask(stop) });
      const info = { key, ...digestsOf(Buffer.from('x')), contentType: 'text/plain', modifiedAtMs: 0 };
      return { info, body };
    }
  }
  const stop = (): void =>
    controller.abort(
      new StagerError('CANCELLED', 'cancelled by SIGTERM', { details: { signal: 'SIGTERM' } }),
    );
  const writing = writeBlobTo(join(root, 'file'), key, {
    blobs: new Silent(root),
    signal: controller.signal,
  });
  await expect(writing).rejects.toMatchObject({ code: 'CANCELLED', details: { signal: 'SIGTERM' } });
  expect(await readdir(root)).toEqual([]);
  await rm(root, { recursive: true });
});
