/** Image layouts on a disk: written to again, and read after something happened to them. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf, MEDIA } from '../../../src/stores/registry/documents.ts';
import { readLayout, writeLayout } from '../../../src/stores/registry/layout.ts';
import { openLayoutBlob } from '../../../src/stores/registry/layout-files.ts';
import { tempDir } from '../../staging/source/archives.ts';

const signal = new AbortController().signal;
const layer = Buffer.from('a layer of an image');
const descriptor = { mediaType: MEDIA.layer, digest: digestOf(layer), size: layer.length };
const configText = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [descriptor.digest] },
  }),
);
const config = { mediaType: MEDIA.config, digest: digestOf(configText), size: configText.length };
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [descriptor] }));

let directory: string;
let opened: number;
const blobOf = (digest: string): string => join(directory, 'blobs/sha256', digest.slice('sha256:'.length));
const write = async (): Promise<void> => {
  const open = async (): Promise<Readable> => {
    opened += 1;
    return Readable.from([layer]);
  };
  const blobs = [
    { descriptor, open },
    { descriptor: config, open: async () => Readable.from([configText]) },
  ];
  await writeLayout(directory, { manifest, mediaType: MEDIA.manifest, blobs, tag: 'v1' }, signal);
};
/** As building on it does. */
const read = async (): Promise<Buffer> => {
  const { manifest: found } = await readLayout(directory);
  const [first = descriptor] = found.layers;
  return await buffer(await openLayoutBlob(directory, first));
};

beforeEach(async () => {
  directory = tempDir();
  opened = 0;
  await write();
});

it('what is there whole is not written again', async () => {
  await write();
  expect(opened).toBe(1);
});

/** Ways that a file can be hurt which a rename over it mends. */
const MENDED: readonly [string, (path: string) => void][] = [
  ['another byte', (path) => writeFileSync(path, readFileSync(path).fill('x', 1, 2))],
  ['half of it', (path) => truncateSync(path, 5)],
  ['nothing of it', (path) => truncateSync(path)],
  ['gone', (path) => rmSync(path)],
  ['a link to nowhere', (path) => [rmSync(path), symlinkSync('/nowhere/at/all', path)]],
  ['a link to itself', (path) => [rmSync(path), symlinkSync(path, path)]],
];
const asDirectory = (path: string): void => {
  rmSync(path, { recursive: true });
  mkdirSync(path);
};

describe('a file of a layout', () => {
  it.each(MENDED)('is refused by its path and written again: %s', async (_, damage) => {
    for (const { digest } of [descriptor, config, { digest: digestOf(manifest) }]) {
      damage(blobOf(digest));
      await expect(read()).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
        message: expect.stringContaining(blobOf(digest)),
        next: expect.stringContaining('again'),
      });
      await write();
      expect(await read()).toEqual(layer);
    }
    expect(readdirSync(join(directory, 'blobs/sha256'))).toHaveLength(3);
  });

  it('is named when a directory is in its place, and what is advised works', async () => {
    const paths = [descriptor, config, { digest: digestOf(manifest) }].map(({ digest }) => blobOf(digest));
    for (const path of [...paths, join(directory, 'index.json')]) {
      asDirectory(path);
      const named = { message: expect.stringContaining(path) };
      await expect(read()).rejects.toMatchObject({ code: 'IMAGE_INVALID', ...named });
      await expect(write()).rejects.toMatchObject({ code: 'CONFIG_INVALID', ...named, details: { path } });
      rmSync(path, { recursive: true });
      await write();
      expect(await read()).toEqual(layer);
    }
  });

  it.each(['', 'blobs', 'blobs/sha256'])(
    'is named when it is in the place of the directory "%s"',
    async (name) => {
      for (const make of [
        (path: string) => writeFileSync(path, ''),
        (path: string) => symlinkSync('/nowhere/at/all', path),
        (path: string) => symlinkSync(path, path),
      ]) {
        const path = join(directory, name);
        rmSync(path, { recursive: true });
        make(path);
        await expect(write()).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
          message: expect.stringContaining(path),
        });
        rmSync(path);
        await write();
        expect(await read()).toEqual(layer);
      }
    },
  );
});

it('an index that says nothing is not replaced, since it may name other images', async () => {
  const path = join(directory, 'index.json');
  writeFileSync(path, '{"manifests": [');
  await expect(write()).rejects.toMatchObject({ code: 'CONFIG_INVALID', details: { path } });
  await expect(read()).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
});
