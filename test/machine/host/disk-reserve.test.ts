import { join } from 'node:path';
import { expect, it } from 'vitest';
import { whyBelowReserve } from '../../../src/machine/host/disk-reserve.ts';
import { DiskImage, whyNoDiskImage } from '../../support/disk-image.ts';

const missing = whyNoDiskImage();

it.skipIf(missing !== undefined)(
  `a disk is short of room under a quarter of a small one, in bytes and in inodes${missing === undefined ? '' : ` (NOT RUN: ${missing})`}`,
  async () => {
    const disk = DiskImage.make({ mebibytes: 8, inodes: 200 });
    const places = [disk.mount, join(disk.mount, 'not', 'made', 'yet')];
    const why = async (): Promise<string | undefined> => await whyBelowReserve(places);
    try {
      expect(await why()).toBeUndefined();
      disk.fillTo(1024 * 1024);
      expect(await why()).toMatch(/^the disk of \/.*\/disk has \d.* left, and .* are its reserve$/);
      disk.empty();
      expect(await why()).toBeUndefined();
      disk.fillInodesTo(10);
      expect(await why()).toMatch(/has \d+ inodes left, and 5\d are its reserve$/);
      disk.empty();
      expect(await why()).toBeUndefined();
    } finally {
      disk.remove();
    }
  },
);
