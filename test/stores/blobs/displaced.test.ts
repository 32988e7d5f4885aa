import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
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
