/** What is stored, and the moments and machines that are against it. */
import { createHash, randomBytes } from 'node:crypto';
import {
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cli, type Ended, stageArgs } from '../support/cli.ts';
import { DiskImage, whyNoDiskImage } from '../support/disk-image.ts';

const noDisk = whyNoDiskImage();
if (noDisk !== undefined) process.stderr.write(`\nNOT RUN: a disk that becomes read-only: ${noDisk}\n\n`);

let cli: Cli;
beforeAll(async () => {
  cli = await Cli.make();
});
afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('the umask of the caller', () => {
  it('changes nothing of a droplet, and everything of who may read the file that was asked for', async () => {
    const app = await cli.app('masked', { 'index.html': 'hello', 'bin/run': '#!/bin/sh\n' });
    const made = [];
    for (const umask of ['022', '027', '077', '0177', '002']) {
      const output = join(cli.dir, `umask-${umask}.tgz`);
      const ended = await cli.stage(
        app,
        { SUPPLY: 'echo x >$3/$4/file; mkdir $3/$4/bin' },
        ['--reproducible', '--output', output],
        { shell: `umask ${umask}` },
      );
      expect(ended, umask).toMatchObject({ code: 0 });
      made.push({ sha256: await sha256(output), mode: (await stat(output)).mode & 0o777 });
    }
    expect(new Set(made.map((it) => it.sha256)).size).toBe(1);
    expect(made.map((it) => it.mode)).toEqual([0o644, 0o640, 0o600, 0o600, 0o644]);
  });
});

describe('a limit of sizes of files', () => {
  // 512-byte blocks of sh: a megabyte.
  const limited = { shell: 'ulimit -f 2048' };

  it('is told as what it is where stager writes', async () => {
    const app = await cli.app('large', { data: randomBytes(3_000_000).toString('hex') });
    expect(await cli.stage(app, {}, ['--sandbox', 'none'], limited)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ulimit -f'),
    });
    expect(await cli.stage(app, {}, ['--sandbox', 'none'])).toMatchObject({ code: 0 });
  });

  it('is told as what it is where a script writes, and is not the fault of the buildpack', async () => {
    const app = await cli.app('small');
    const writes = { SUPPLY: 'head -c 3000000 /dev/zero >$1/large' };
    const ended = await cli.stage(app, writes, ['--sandbox', 'none'], limited);
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('over the file size limit (ulimit -f), 1.0 MiB'),
    });
    expect(await cli.leftovers()).toEqual([]);
  });
});

describe.skipIf(noDisk !== undefined)(
  `a disk that becomes read-only in the middle${noDisk === undefined ? '' : ` (NOT RUN: ${noDisk})`}`,
  () => {
    it('ends with the error of the step, not of the cleanup, and all is well afterwards', async () => {
      const disk = DiskImage.make({ mebibytes: 32, inodes: 4_000 });
      const some = await Cli.make();
      try {
        const app = await some.app('app');
        // Not below /tmp, which is the workspace for a script.
        const go = `/var/tmp/stager-go-${randomBytes(8).toString('hex')}`;
        const env = { STAGER_HOME: join(disk.mount, 'home') };
        const told = { SUPPLY: `echo begun; while [ ! -e ${go} ]; do sleep 0.1; done` };
        const running = some.start([...stageArgs(app, told), '--sandbox', 'none'], { env });
        await running.says(/begun/);
        disk.remount('ro');
        await writeFile(go, '');
        const ended = await running.ended;
        expect(ended.code).not.toBe(0);
        await rm(go);
        expect(ended.stderr).toMatch(/error BLOBSTORE_DENIED .*storing .*droplets.*read-only/);
        disk.remount('rw');
        expect(await some.stage(app, {}, ['--sandbox', 'none'], { env })).toMatchObject({ code: 0 });
        expect(await readdir(join(disk.mount, 'home/workspaces'))).toEqual([]);
      } finally {
        disk.remove();
        await some[Symbol.asyncDispose]();
      }
    });
  },
);

describe('the end of the process', () => {
  it('comes, again and again, where a store is a link to itself', async () => {
    const other = await Cli.make();
    await other.app('home/blobs');
    await symlink('packages', join(other.home, 'blobs/packages'));
    const codes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const some = [];
        for (let n = 0; n < 5; n += 1) some.push((await other.run(['blobs', 'verify'])).code);
        return some;
      }),
    );
    expect(new Set(codes.flat())).not.toContain(0);
    expect(other.processes()).toEqual([]);
    await other[Symbol.asyncDispose]();
  });
});

/** Ways in which bytes at rest go bad. */
const DAMAGES: Readonly<Record<string, (path: string) => Promise<void>>> = {
  truncated: async (path) => truncate(path, Math.floor((await stat(path)).size / 2)),
  flipped: async (path) => {
    const bytes = await readFile(path);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  },
};

/** Below `root`, what is not a directory. */
async function filesIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((it) => !it.isDirectory() && it.name !== '.stager')
    .map((it) => join(it.parentPath, it.name));
}

const recordFile = async (home: string): Promise<string> =>
  join(home, 'stagings', (await readdir(join(home, 'stagings'))).toSorted().at(-1) ?? '');

/** Web, which writes a file of the app and ends. */
const runs = (some: Cli): Promise<Ended> => some.run(['run', '--health-check', 'process']);

describe('a droplet whose bytes changed', () => {
  it.each(Object.keys(DAMAGES))(
    'is %s: --reuse stages again, says so, and puts an intact one in its place',
    async (how) => {
      await using some = await Cli.make();
      const app = await some.app('app');
      expect(await some.stage(app)).toMatchObject({ code: 0 });
      const [place = ''] = await some.droplets();
      await DAMAGES[how]?.(await realpath(place));

      const run = await runs(some);
      expect(run).toMatchObject({
        code: 83,
        stderr: expect.stringMatching(/damaged.*\n.*[Ss]tage its app again/),
      });

      const again = await some.stage(app, {}, ['--reuse']);
      expect(again).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('is not reused, and the app is staged again'),
      });
      expect(again.stdout + again.stderr).not.toContain('Reused the droplet');
      expect(await some.run(['blobs', 'verify'])).toMatchObject({ code: 0 });
      expect((await runs(some)).stdout).toContain('hello');

      const third = await some.stage(app, {}, ['--reuse']);
      expect(third.stdout + third.stderr).toContain('Reused the droplet');
    },
  );
});

describe('a record that is not what was written', () => {
  it('is not run: neither a changed command nor a key that leads to another droplet', async () => {
    await using some = await Cli.make();
    const [one, two] = [
      await some.app('one', { 'index.html': 'one' }),
      await some.app('two', { 'index.html': 'two' }),
    ];
    expect(await some.stage(one)).toMatchObject({ code: 0 });
    const [first = ''] = await some.droplets();
    expect(await some.stage(two)).toMatchObject({ code: 0 });
    const path = await recordFile(some.home);
    const text = await readFile(path, 'utf8');

    await writeFile(path, text.replace('cat index.html', 'bat index.html'));
    const flipped = await some.run(['run']);
    expect(flipped).toMatchObject({ code: 61 });
    expect(flipped.stderr).toContain(path);
    await writeFile(path, text);

    const second = (await some.droplets()).find((it) => it !== first) ?? '';
    const aside = `${second}.aside`;
    await rename(second, aside);
    await symlink(await realpath(first), second);
    const other = await some.run(['run']);
    expect(other).toMatchObject({ code: 83, stderr: expect.stringContaining('is not the droplet of build') });
    await rm(second);
    await rename(aside, second);
    expect((await runs(some)).stdout).toContain('two');
  });

  it('of before versions and checksums is still read', async () => {
    await using some = await Cli.make();
    expect(await some.stage(await some.app('app'))).toMatchObject({ code: 0 });
    const path = await recordFile(some.home);
    const text = await readFile(path, 'utf8');
    const { recordVersion, checksum, ...old } = z
      .looseObject({ recordVersion: z.literal(2), checksum: z.string() })
      .parse(JSON.parse(text));
    expect([recordVersion, checksum]).toEqual([2, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    await writeFile(path, JSON.stringify(old));
    expect((await runs(some)).stdout).toContain('hello');
  });
});

describe('a build cache whose bytes changed', () => {
  it.each(Object.keys(DAMAGES))(
    'is %s: one warning, and an intact one at the end, though the tree is the same',
    async (how) => {
      await using some = await Cli.make();
      const app = await some.app('app');
      const told = { SUPPLY: 'echo same >"$2/kept"' };
      expect(await some.stage(app, told)).toMatchObject({ code: 0 });
      const caches = await filesIn(join(some.home, 'blobs/buildpack_cache'));
      const cache = caches.find((it) => !it.endsWith('.fingerprint')) ?? '';
      await DAMAGES[how]?.(await realpath(cache));

      const warned = await some.stage(app, told);
      expect(warned).toMatchObject({ code: 0, stderr: expect.stringContaining('build cache can') });
      const healed = await some.stage(app, told);
      expect(healed).toMatchObject({ code: 0, stderr: expect.not.stringContaining('build cache can') });
      expect(await some.run(['blobs', 'verify'])).toMatchObject({ code: 0 });
    },
  );
});
