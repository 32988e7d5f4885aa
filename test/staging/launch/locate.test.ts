import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { locateDroplet, type StagedRecords, splitBlobAddress } from '../../../src/staging/launch/locate.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import type { BlobStore } from '../../../src/stores/blobs/port/blob-store.ts';

import type { StagingRecord } from '../../../src/words/staging-record.ts';
import { recordAt } from '../../support/staging-record.ts';

let root: string;
let store: BlobStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-locate-'));
  store = await openBlobStore(join(root, 'blobs with blanks'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const recordsOf = (...records: StagingRecord[]): StagedRecords => ({
  last: async () => records[0],
  ofBuild: async (guid) => records.find(({ build }) => build === guid),
  find: async (wanted) => records.find(wanted),
});

const key = { kind: 'droplets', name: '0f3a/web.tgz' } as const;

describe('the droplet that is meant', () => {
  it('is the last one staged when none is named', async () => {
    const record = recordAt(store.location(key));
    const found = await locateDroplet(undefined, recordsOf(record, recordAt('file:///x')));
    expect(found).toEqual({
      place: { kind: 'blob', address: store.location(key), store: store.url, key },
      record,
    });
  });

  it('is missing when nothing was staged', async () => {
    await expect(locateDroplet(undefined, recordsOf())).rejects.toMatchObject({ code: 'DROPLET_NOT_FOUND' });
  });

  it('is found by the address that a record shows, with and without its record', async () => {
    const record = recordAt(store.location(key));
    const place = { kind: 'blob', address: store.location(key), store: store.url, key };
    expect(await locateDroplet(record.droplet.location, recordsOf(record))).toEqual({ place, record });
    expect(await locateDroplet(record.droplet.location, recordsOf())).toEqual({ place });
  });

  it('is found by the guid of its build and by its own', async () => {
    const record = recordAt(store.location(key));
    const other = recordAt(store.location({ ...key, name: 'other' }));
    for (const guid of [record.build, record.droplet.guid]) {
      expect(await locateDroplet(guid, recordsOf(other, record))).toMatchObject({ record });
    }
  });

  it('is a file, by path or by file address', async () => {
    const path = join(root, 'my droplet.tgz');
    await writeFile(path, 'x');
    const expected = { place: { kind: 'file', path } };
    expect(await locateDroplet(path, recordsOf())).toEqual(expected);
    expect(await locateDroplet(pathToFileURL(path).href, recordsOf())).toEqual(expected);
  });

  it('is not a directory, and not a file that is not there', async () => {
    await expect(locateDroplet(root, recordsOf())).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    await expect(locateDroplet(join(root, 'no'), recordsOf())).rejects.toMatchObject({
      code: 'DROPLET_NOT_FOUND',
    });
    await expect(locateDroplet('s3://u:sesame@bucket/x', recordsOf())).rejects.not.toThrow(/sesame/);
  });

  it('is split from an S3 address whose prefix looks like a kind, with its parameters', () => {
    expect(
      splitBlobAddress('s3://bucket/droplets/ab/cd/prefix/droplets/0f/3a/0f3a?endpoint=http://x/y'),
    ).toMatchObject({
      store: 's3://bucket/droplets/ab/cd/prefix?endpoint=http://x/y',
      key: { kind: 'droplets', name: '0f3a' },
    });
    expect(splitBlobAddress('s3://bucket/0f/3a/0f3a')).toBeUndefined();
    expect(splitBlobAddress('file:///data/droplets/0f/3b/0f3a')).toBeUndefined();
  });
});
