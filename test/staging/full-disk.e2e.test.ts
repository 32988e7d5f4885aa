/** A sample of `npm run full-disk`: commands on a disk that has hardly any space left. docs/storage.md has the counts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Command, Rig } from '../full-disk/rig.ts';
import { expectedOf, judge, nameOf, type Point } from '../full-disk/sweep.ts';
import { Cli, stageArgs } from '../support/cli.ts';
import { whyNoDiskImage } from '../support/disk-image.ts';

const why = whyNoDiskImage();
if (why !== undefined) process.stderr.write(`\nNOT RUN: the sweep of full disks: ${why}\n\n`);

/** Where each step of a staging runs out of space, and a few of the other commands. */
const POINTS: readonly Point[] = [
  ...[0, 1_000, 2_000, 3_100, 4_200, 5_400, 6_200, 7_400].map((kib) => bytes('stage', kib)),
  ...[0, 60, 120, 220].map((free) => inodes('stage', free)),
  ...[0, 500].map((kib) => bytes('run', kib)),
  ...[0, 1_000].map((kib) => bytes('stack', kib)),
  ...[0, 200].map((kib) => bytes('buildpack', kib)),
];

function bytes(command: Command, kib: number): Point {
  return { command, kind: 'bytes', free: kib * 1024 };
}

function inodes(command: Command, free: number): Point {
  return { command, kind: 'inodes', free };
}

describe.skipIf(why !== undefined)(
  `a disk that fills up${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    let rig: Rig;
    let expected: ReadonlyMap<Command, string>;
    beforeAll(async () => {
      rig = await Rig.make();
      expected = await expectedOf(rig);
    });
    afterAll(() => rig.close());

    it.each(POINTS.map((point) => ({ name: nameOf(point), point })))(
      '$name: is told with its place, leaves nothing, and all is well when there is space',
      async ({ point }) => {
        const { wrong, said } = await judge(rig, point, expected.get(point.command) ?? '');
        expect(wrong, said).toBeUndefined();
      },
    );

    // Seen by the script alone, by whoever watches the disk, or by nobody before the droplet is stored: that of the last
    // is larger than the cache of compressed members, which gives way.
    it.each([
      ['fails', 300, 'head -c 5000000 /dev/zero >"$1/large"'],
      ['fails', 3_000, 'head -c 5000000 /dev/zero >"$1/large"'],
      ['ignores it', 3_000, 'head -c 5000000 /dev/urandom >"$1/large" || true'],
    ])('a script that %s with %i KiB left is not to blame', async (_what, kib, script) => {
      rig.restore();
      rig.disk.fillTo(kib * 1024);
      await using cli = await Cli.make();
      const app = await cli.app('app');
      const told = stageArgs(app, { SUPPLY: script });
      const ended = await cli.run([...told, '--sandbox', 'none'], { env: { STAGER_HOME: rig.home } });
      expect(ended.stderr).toMatch(/error (HOST_DISK_FULL|BLOBSTORE_FULL) \(operator\).*/);
      expect(ended.stderr).toContain(rig.home);
    });
  },
);
