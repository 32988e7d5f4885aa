/**
 * Random apps, staged above the tree of their last package and as copies, changed alike by what scripts may do: the
 * droplets are the same to the last byte. `STAGER_TEST_TREES` says how many apps, `STAGER_TEST_SEED` which is first.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newGuid } from '../../../src/words/ids.ts';
import { whyNoDiskImage } from '../../support/disk-image.ts';
import { mulberry32 } from '../source/cfignore/cases.ts';
import { type Act, BothWays } from './both-ways.ts';
import { RandomTree } from './random-trees.ts';

const TREES = Number(process.env['STAGER_TEST_TREES'] ?? 8);
const SEED = Number(process.env['STAGER_TEST_SEED'] ?? 1);
/** The tree is made; it is used, or replaced, by a package that may differ. */
const STAGINGS = 2;
const PLACES = ['app', 'cache', 'contents/deps'];

const fail = (why: string): never => {
  throw new Error(why);
};

const why = whyNoDiskImage();
if (why !== undefined) process.stderr.write(`\nNOT RUN: random apps above a tree: ${why}\n\n`);

describe.skipIf(why !== undefined)(
  `an app above the tree of its last package${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    const { signal } = new AbortController();
    let rig: BothWays;
    const seen = { made: 0, used: 0, copied: 0 };

    beforeAll(async () => {
      rig = await BothWays.make();
    });
    afterAll(() => rig[Symbol.asyncDispose]());

    it.each(Array.from({ length: TREES }, (_, n) => SEED + n))(
      'gives the droplets of copies of app %i, to the last byte',
      async (seed) => {
        const random = mulberry32(seed);
        const root = rig.at(`source-${seed}`);
        mkdirSync(join(root, 'app'), { recursive: true });
        const tree = new RandomTree(random, { root, places: ['app'], script: false });
        tree.grow(10 + Math.floor(random() * 90));
        const app = newGuid();
        for (let staging = 0; staging < STAGINGS; staging += 1) {
          const edits = staging === STAGINGS - 1 ? tree.change(Math.floor(random() * 20)) : '';
          const input = await rig.packaged(join(root, 'app'));
          const changes = Math.floor(random() * 40);
          let done = '';
          const act: Act = (tmp) => {
            const numbers = mulberry32(seed * STAGINGS + staging);
            done = new RandomTree(numbers, { root: tmp, places: PLACES, script: true }).change(changes);
          };
          const laid = await rig.aboveTree(app, input, act);
          if (typeof laid === 'string') {
            expect(laid).toContain('could not be renamed');
            seen.copied += 1;
            continue;
          }
          seen[laid.used ? 'used' : 'made'] += 1;
          const said = `seed ${seed}, staging ${staging}, edits:\n${edits}\nscripts:\n${done}`;
          expect(laid.droplet.equals(await rig.asCopy(input.source, act)), said).toBe(true);
          expect(laid.warnings).toEqual([]);
        }
        await rig.store.forget(app);
        await rig.store.sweep(signal);
        await rm(root, { recursive: true });
      },
    );

    it('gives the droplet of a copy when a change became the tree of the next staging', async () => {
      const root = join(rig.at('large'), 'app');
      const write = (from: number, to: number, what: string): void => {
        for (let file = from; file < to; file += 1) {
          mkdirSync(join(root, `${file % 30}`), { recursive: true });
          writeFileSync(join(root, `${file % 30}/${file}`), `${what} ${file}`);
        }
      };
      const app = newGuid();
      write(0, 1_000, 'first');
      await rig.aboveTree(app, await rig.packaged(root), () => undefined);
      write(400, 700, 'second');
      await rm(join(root, '7'), { recursive: true });
      const before = await rig.store.recall(app, fail);
      await rig.aboveTree(app, await rig.packaged(root), () => undefined);
      const after = await rig.store.recall(app, fail);
      expect(after?.id).not.toBe(before?.id);
      const input = await rig.packaged(root);
      const act: Act = (tmp) => rmSync(join(tmp, 'app', '8'), { recursive: true });
      const droplet = await rig.asCopy(input.source, act);
      expect(await rig.aboveTree(app, input, act)).toEqual({ droplet, used: true, warnings: [] });
      expect((await rig.store.recall(app, fail))?.id).toBe(after?.id);
    });

    it('leaves a staging the tree that it makes or uses when all trees are pruned meanwhile', async () => {
      const app = newGuid();
      const input = await rig.packaged(join(rig.at('large'), 'app'));
      const droplet = await rig.asCopy(input.source, () => undefined);
      const prune: Act = () => rig.store.sweep(signal, { maxBytes: 0, maxAgeMs: 0 });
      expect(await rig.aboveTree(app, input, prune)).toEqual({ droplet, used: false, warnings: [] });
      expect(await rig.aboveTree(app, input, prune)).toEqual({ droplet, used: true, warnings: [] });
      expect(await rig.store.recall(app, fail)).toBeUndefined();
    });

    it('made trees and used them', () => {
      expect(seen.copied).toBeLessThan(TREES / 4);
      expect(seen.made).toBeGreaterThan(TREES / 2);
      expect(seen.used).toBeGreaterThan(TREES / 4);
    });
  },
);
