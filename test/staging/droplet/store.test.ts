import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storeDroplet } from '../../../src/staging/droplet/store.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import type { BlobInfo, BlobKey, PutOptions } from '../../../src/stores/blobs/port/blob-store.ts';
import { StagerError } from '../../../src/words/errors.ts';
import { newGuid } from '../../../src/words/ids.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'store-droplet-'));
  mkdirSync(join(root, 'app'));
  writeFileSync(join(root, 'app/file'), 'content');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A store that is busy with something else until the packing has failed. */
class LateStore extends DirectoryBlobStore {
  readonly #onPut: () => void;

  constructor(onPut: () => void) {
    super(join(root, 'blobs'));
    this.#onPut = onPut;
  }

  override async put(key: BlobKey, body: Readable, options: PutOptions): Promise<BlobInfo> {
    this.#onPut();
    if (!body.closed) await new Promise((resolve) => body.once('close', resolve));
    return await super.put(key, body, options);
  }
}

describe('a droplet whose packing ends before its store reads', () => {
  it('is a failure of the call, and nothing that takes the process down', async () => {
    const controller = new AbortController();
    const reason = new StagerError('CANCELLED', 'cancelled by SIGINT');
    const storing = storeDroplet(
      {
        app: newGuid(),
        guid: newGuid(),
        directories: { app: join(root, 'app'), deps: join(root, 'deps'), profileD: join(root, 'profile.d') },
        stagingInfo: '{}',
        pack: { memberCache: join(root, 'members') },
      },
      {
        blobs: new LateStore(() => controller.abort(reason)),
        signal: controller.signal,
        onBytes: () => undefined,
      },
    );
    await expect(storing).rejects.toThrow('cancelled by SIGINT');
  });
});
