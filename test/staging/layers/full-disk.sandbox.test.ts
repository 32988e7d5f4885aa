/** The disk with the trees of packages fills up while one is made: the staging goes on, and the next one with room makes it. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { DiskImage, whyNoDiskImage } from '../../support/disk-image.ts';
import { BothWays } from './both-ways.ts';

const why = whyNoDiskImage();
if (why !== undefined) process.stderr.write(`\nNOT RUN: a full disk while a tree is made: ${why}\n\n`);

describe.skipIf(why !== undefined)(
  `a disk that fills up while a tree is made${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    let disk: DiskImage;
    let rig: BothWays;
    let app: Guid;
    let root: string;
    const fill = (): void => disk.fillTo(64 * 1024);
    const nothing = (): void => undefined;
    const write = (file: number, text: string): void => {
      mkdirSync(join(root, `${file % 20}`), { recursive: true });
      writeFileSync(join(root, `${file % 20}/${file}`), text);
    };
    const names = (name: string): string[] => {
      try {
        return readdirSync(join(rig.store.root, name));
      } catch {
        return [];
      }
    };
    /** With room: the tree is made, then used. */
    const demandWell = async (used: boolean): Promise<void> => {
      rig.around = (layers) => layers;
      disk.empty();
      const input = await rig.packaged(root);
      const droplet = await rig.asCopy(input.source, nothing);
      expect(await rig.aboveTree(app, input, nothing)).toEqual({ droplet, used, warnings: [] });
      expect(await rig.aboveTree(app, input, nothing)).toEqual({ droplet, used: true, warnings: [] });
      expect(names('tmp')).toEqual([]);
    };

    beforeAll(async () => {
      // A tree is only begun where a gibibyte would be left.
      disk = DiskImage.make({ mebibytes: 1_300, inodes: 2_000 });
      rig = await BothWays.make(join(disk.mount, 'layers'));
    });
    afterAll(async () => {
      await rig[Symbol.asyncDispose]();
      disk.remove();
    });
    beforeEach(() => {
      app = newGuid();
      root = rig.at(`app-${app}`);
      for (let file = 0; file < 600; file += 1) write(file, `${app} ${file}`);
    });

    it('says that there is no space when its blocks can not be had, and leaves nothing', async () => {
      rig.around = (layers) => ({
        ...layers,
        make: (image) => {
          fill();
          return layers.make(image);
        },
      });
      const filled = await rig.aboveTree(app, await rig.packaged(root), nothing);
      expect(filled).toMatch(/fallocate.*No space left on device/s);
      expect([names('tmp'), names('trees'), names('apps')]).toEqual([[], [], []]);
      await demandWell(false);
    });

    it('goes on when its blocks were taken before, and keeps no tree whose list can not be written', async () => {
      const input = await rig.packaged(root);
      rig.around = (layers) => ({
        ...layers,
        make: async (image) => {
          await layers.make(image);
          disk.fillTo(0);
        },
      });
      const droplet = await rig.asCopy(input.source, nothing);
      const laid = await rig.aboveTree(app, input, nothing);
      expect(laid).toEqual({ droplet, used: false, warnings: [expect.stringMatching(/not kept.*ENOSPC/)] });
      expect([names('tmp'), names('apps').includes(app)]).toEqual([[], false]);
      await demandWell(false);
    });

    it('says so when a tree turns out larger than it was thought to be', async () => {
      rig.around = (layers) => ({
        ...layers,
        make: (image) => layers.make({ ...image, size: { ...image.size, files: 500 } }),
      });
      const filled = await rig.aboveTree(app, await rig.packaged(root), nothing);
      expect(filled).toMatch(/no space left .* was written/);
      expect([names('tmp'), names('apps').includes(app)]).toEqual([[], false]);
      await demandWell(false);
    });

    it('keeps the tree of the last package when there is no room for that of the next', async () => {
      await demandWell(false);
      for (let file = 0; file < 270; file += 1) write(file, 'changed');
      const input = await rig.packaged(root);
      const droplet = await rig.asCopy(input.source, nothing);
      const laid = await rig.aboveTree(app, input, fill);
      expect(laid).toEqual({ droplet, used: true, warnings: [expect.stringMatching(/not kept.*ENOSPC/)] });
      expect(names('tmp')).toEqual([]);
      await demandWell(true);
    });
  },
);
