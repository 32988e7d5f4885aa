/**
 * Random apps, staged above the tree of their last package and as copies, changed alike by what scripts may do: the
 * droplets are the same to the last byte. `STAGER_TEST_TREES` says how many apps, `STAGER_TEST_SEED` which is first.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Volumes } from '../../../src/machine/sandbox/port/volume.ts';
import { MountedVolumes } from '../../../src/machine/sandbox/volume/volumes.ts';
import { dropletContents } from '../../../src/staging/droplet/contents.ts';
import { packTarball } from '../../../src/staging/droplet/pack/tarball.ts';
import type { KnownTree } from '../../../src/staging/droplet/tar/known-tree.ts';
import { LayerStore } from '../../../src/staging/layers/store.ts';
import type { Listed } from '../../../src/staging/layers/supply.ts';
import { storePackage } from '../../../src/staging/package/create.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { LayeredApp, type LayerUser } from '../../../src/staging/steps/layered.ts';
import type { Workspace } from '../../../src/staging/workspace/layout.ts';
import { materialise } from '../../../src/staging/workspace/materialise.ts';
import { createWorkspace } from '../../../src/staging/workspace/workspace.ts';
import { DirectoryBlobStore } from '../../../src/stores/blobs/fs/directory-store.ts';
import { systemClock } from '../../../src/words/clock.ts';
import { type Guid, newGuid } from '../../../src/words/ids.ts';
import { whyNoDiskImage } from '../../support/disk-image.ts';
import { mulberry32 } from '../source/cfignore/cases.ts';
import { RandomTree } from './random-trees.ts';

const TREES = Number(process.env['STAGER_TEST_TREES'] ?? 24);
const SEED = Number(process.env['STAGER_TEST_SEED'] ?? 1);
/** The tree is made; it is used, or replaced, by a package that may differ. */
const STAGINGS = 2;
const DISK_MB = 64;
/** In no range that stager gives to a staging. */
const OWNER = { uid: 1_899_990_000, gid: 1_899_990_000 };
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
    let temp: DirectoryResult;
    let volumes: Volumes & { close(): Promise<void> };
    let store: LayerStore;
    let blobs: DirectoryBlobStore;
    const seen = { made: 0, used: 0, copied: 0 };

    beforeAll(async () => {
      temp = await tempDir({ unsafeCleanup: true });
      const home = join(temp.path, 'state');
      mkdirSync(home);
      volumes = await MountedVolumes.open({ wanted: 'image', home });
      store = new LayerStore(join(temp.path, 'layers'), systemClock);
      blobs = new DirectoryBlobStore(join(temp.path, 'blobs'));
    });
    afterAll(async () => {
      await volumes?.close();
      await temp?.cleanup();
    });

    const droplet = async (workspace: Workspace, known?: KnownTree): Promise<Buffer> => {
      const packed = packTarball(dropletContents(workspace, 'staged: true\n'), {
        signal,
        threads: 1,
        // What was packed above a tree comes from the cache; what was copied is packed anew.
        ...(known !== undefined && { known, memberCache: join(temp.path, 'members') }),
      });
      return await buffer(packed.body);
    };

    const packaged = async (path: string) => {
      const source = await openSource(path);
      let entries: Listed['entries'] & { readonly length: number } = [];
      let hostRoot: string | undefined;
      const onListed = (listed: { entries: typeof entries; hostRoot?: string }) => {
        ({ entries, hostRoot } = { hostRoot: undefined, ...listed });
      };
      await storePackage(source, { store: blobs, signal, onListed });
      const listed = { count: entries.length, entries, ...(hostRoot !== undefined && { hostRoot }) };
      return { source, listed: async () => listed };
    };

    const asCopy = async (source: Awaited<ReturnType<typeof openSource>>, act: (tmp: string) => unknown) => {
      const workspace = await createWorkspace({ parent: join(temp.path, 'workspaces'), owner: OWNER });
      await materialise(source, workspace.app, { owner: OWNER, signal });
      act(workspace.tmp);
      const bytes = await droplet(workspace);
      await workspace.release({ keep: 'never', failed: false });
      return bytes;
    };

    const aboveTree = async (
      app: Guid,
      input: Awaited<ReturnType<typeof packaged>>,
      act: (tmp: string) => unknown,
    ): Promise<Buffer | undefined> => {
      const warnings: string[] = [];
      const user: LayerUser = {
        request: { keep: 'never', diskMb: DISK_MB, app: { guid: app } },
        ports: { layers: { store, wanted: 'overlay' }, sandbox: { volumes, owner: OWNER } },
        signal,
        report: () => undefined,
        warn: (_code, message) => warnings.push(message),
      };
      const size = { bytes: DISK_MB << 20, files: 10_000 };
      const parent = join(temp.path, 'workspaces');
      const workspace = await createWorkspace({ parent, owner: OWNER, volume: { volumes, size } });
      try {
        const filled = await LayeredApp.fill(user, workspace, input);
        if (typeof filled === 'string') {
          expect(filled).toContain('could not be renamed');
          seen.copied += 1;
          return undefined;
        }
        await using layered = filled;
        seen[layered.note === 'all written' ? 'made' : 'used'] += 1;
        act(workspace.tmp);
        return await droplet(workspace, layered.known());
      } finally {
        await workspace.release({ keep: 'never', failed: false });
        expect(warnings).toEqual([]);
      }
    };

    it.each(Array.from({ length: TREES }, (_, n) => SEED + n))(
      'gives the droplets of copies of app %i, to the last byte',
      async (seed) => {
        const random = mulberry32(seed);
        const root = join(temp.path, `source-${seed}`);
        mkdirSync(join(root, 'app'), { recursive: true });
        const tree = new RandomTree(random, { root, places: ['app'], script: false });
        tree.grow(10 + Math.floor(random() * 90));
        const app = newGuid();
        for (let staging = 0; staging < STAGINGS; staging += 1) {
          const edits = staging === STAGINGS - 1 ? tree.change(Math.floor(random() * 20)) : '';
          const input = await packaged(join(root, 'app'));
          const changes = Math.floor(random() * 40);
          const act = (tmp: string): string =>
            new RandomTree(mulberry32(seed * STAGINGS + staging), {
              root: tmp,
              places: PLACES,
              script: true,
            }).change(changes);
          let done = '';
          const copied = await asCopy(input.source, (tmp) => {
            done = act(tmp);
          });
          const laid = await aboveTree(app, input, act);
          const said = `seed ${seed}, staging ${staging}, edits:\n${edits}\nscripts:\n${done}`;
          expect(laid?.equals(copied) ?? true, said).toBe(true);
        }
        await store.forget(app);
        await store.sweep(signal);
        await rm(root, { recursive: true });
      },
    );

    it('gives the droplet of a copy when a change became the tree of the next staging', async () => {
      const root = join(temp.path, 'large', 'app');
      const write = (from: number, to: number, what: string): void => {
        for (let file = from; file < to; file += 1) {
          mkdirSync(join(root, `${file % 30}`), { recursive: true });
          writeFileSync(join(root, `${file % 30}/${file}`), `${what} ${file}`);
        }
      };
      const app = newGuid();
      write(0, 1_000, 'first');
      await aboveTree(app, await packaged(root), () => undefined);
      write(400, 700, 'second');
      await rm(join(root, '7'), { recursive: true });
      const before = await store.recall(app, fail);
      await aboveTree(app, await packaged(root), () => undefined);
      const after = await store.recall(app, fail);
      expect(after?.id).not.toBe(before?.id);
      const input = await packaged(root);
      const act = (tmp: string): void => rmSync(join(tmp, 'app', '8'), { recursive: true });
      expect((await aboveTree(app, input, act))?.equals(await asCopy(input.source, act))).toBe(true);
      expect((await store.recall(app, fail))?.id).toBe(after?.id);
    });

    it('made trees and used them', () => {
      expect(seen.copied).toBeLessThan(TREES / 4);
      expect(seen.made + seen.copied).toBeGreaterThanOrEqual(TREES);
      expect(seen.used).toBeGreaterThan(TREES / 4);
    });
  },
);
