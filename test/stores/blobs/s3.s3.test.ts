import { open, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobKey } from '../../../src/stores/blobs/port/blob-store.ts';
import { pathOf } from '../../../src/stores/blobs/port/key.ts';
import { type S3Server, startS3Server, useTestCredentials } from '../../support/s3-server.ts';
import { blobStoreContract } from './contract.ts';

let server: S3Server;
beforeAll(async () => {
  useTestCredentials();
  server = await startS3Server();
});
afterAll(async () => server.stop());

describe('the S3 store', () => {
  blobStoreContract(async () => {
    await server.makeBucket('contract');
    const store = await openBlobStore(server.address('contract', '&partSizeMib=5'));
    const root = join(server.directory, 'contract');
    const fileOf = (key: BlobKey): string => join(root, 'some/prefix', pathOf(key));
    return {
      store,
      truncate: (key, length) => truncate(fileOf(key), length),
      corrupt: async (key, offset) => {
        const file = await open(fileOf(key), 'r+');
        const one = Buffer.alloc(1);
        await file.read(one, 0, 1, offset);
        one[0] = (one[0] ?? 0) ^ 1;
        await file.write(one, 0, 1, offset);
        await file.close();
      },
      leftovers: async () => {
        const entries = await readdir(root, { recursive: true, withFileTypes: true });
        return entries
          .filter((entry) => entry.isFile() && entry.name !== '.stager-store')
          .map((entry) => join(entry.parentPath, entry.name));
      },
      close: async () => undefined,
    };
  }, 12_000_000);
});
