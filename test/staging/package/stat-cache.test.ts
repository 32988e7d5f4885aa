import { createHash } from 'node:crypto';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackageResult } from '../../../src/staging/package/create.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';
import { appAndStore, type CreateOptions, createOf, old, whole } from './app.ts';
import { contentsOf } from './support.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

let root: string;
let app: string;
let store: BlobStore;
beforeEach(async () => {
  ({ root, app, store } = await appAndStore());
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const create = (options: CreateOptions = {}): Promise<PackageResult> => createOf({ app, store }, options);

describe('the stat cache', () => {
  let statCachePath: string;
  /** ctime can't be set back, so the caller's clock is what makes files old. */
  const later = async <T>(step: () => Promise<T>): Promise<T> => {
    const now = Date.now;
    Date.now = () => now() + 10_000;
    return step().finally(() => {
      Date.now = now;
    });
  };
  beforeEach(() => {
    statCachePath = join(root, 'cache/app.stat');
  });

  it('spares reading files that did not change', async () => {
    expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0 });
    const second = await later(() => create({ statCachePath }));
    expect(second).toMatchObject({ unreadFiles: 5, sentFiles: 0 });
    expect(await contentsOf(store, second.guid)).toEqual(whole);
  });

  it('notices a change that keeps size and mtime', async () => {
    await later(() => create({ statCachePath }));
    await writeFile(join(app, 'index.js'), 'MAIN');
    await utimes(join(app, 'index.js'), old, old);
    const second = await later(() => create({ statCachePath }));
    expect(second).toMatchObject({ unreadFiles: 4, sentFiles: 1 });
    expect((await contentsOf(store, second.guid))['index.js']).toBe('644 MAIN');
  });

  it('does not trust files that were changed just before they were read', async () => {
    await create({ statCachePath });
    expect(await create({ statCachePath })).toMatchObject({ unreadFiles: 0 });
  });

  it('changes nothing but time when it is deleted or damaged', async () => {
    await later(() => create({ statCachePath }));
    const whole = await readFile(statCachePath);
    const forged = Buffer.from(whole);
    forged.write(sha1('evil'), whole.indexOf(sha1('main'), 0, 'hex'), 20, 'hex');
    const swapped = Buffer.concat([whole.subarray(0, 16), whole.subarray(100), whole.subarray(16, 100)]);
    for (const damaged of [
      Buffer.alloc(0),
      Buffer.from('nonsense'),
      whole.subarray(0, -30),
      forged,
      swapped,
    ]) {
      expect(damaged).not.toEqual(whole);
      await writeFile(statCachePath, damaged);
      expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0, sentFiles: 0 });
    }
    await rm(statCachePath);
    expect(await later(() => create({ statCachePath }))).toMatchObject({ unreadFiles: 0 });
    expect((await stat(statCachePath)).mode & 0o777).toBe(0o600);
  });
});
