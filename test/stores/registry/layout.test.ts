/** An image layout that is written to again. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { digestOf, MEDIA } from '../../../src/stores/registry/documents.ts';
import { writeLayout } from '../../../src/stores/registry/layout.ts';
import { tempDir } from '../../staging/source/archives.ts';

const signal = new AbortController().signal;

it.each([
  ['another byte', (bytes: Buffer) => bytes.fill('x', 1, 2)],
  ['half of it', (bytes: Buffer) => bytes.subarray(0, 5)],
])('a blob of a layout that was damaged since is written again: %s', async (_, damage) => {
  const layer = Buffer.from('a layer of an image');
  const digest = digestOf(layer);
  let opened = 0;
  const open = async (): Promise<Readable> => {
    opened += 1;
    return Readable.from([layer]);
  };
  const descriptor = { mediaType: MEDIA.layer, digest, size: layer.length };
  const image = {
    manifest: Buffer.from('{}'),
    mediaType: MEDIA.manifest,
    blobs: [{ descriptor, open }],
    tag: 'v1',
  };
  const directory = tempDir();
  for (let n = 0; n < 2; n += 1) await writeLayout(directory, image, signal);
  expect(opened).toBe(1);
  const path = join(directory, 'blobs/sha256', digest.slice('sha256:'.length));
  writeFileSync(path, damage(Buffer.from(layer)));
  await writeLayout(directory, image, signal);
  expect(readFileSync(path)).toEqual(layer);
  expect(readdirSync(join(directory, 'blobs/sha256'))).toHaveLength(2);
});
