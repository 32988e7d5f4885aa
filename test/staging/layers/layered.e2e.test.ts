/** Workspaces above the tree of an app's last package: the same droplets, whatever scripts do there. */
import {
  chmod,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, type Ended } from '../../support/cli.ts';
import { DiskImage, whyNoDiskImage } from '../../support/disk-image.ts';

const why = whyNoDiskImage();
if (why !== undefined) process.stderr.write(`\nNOT RUN: workspaces above a tree: ${why}\n\n`);

const FIXED = '2020-01-02T03:04:05Z';
/** What a buildpack may do to an app, each to other paths. */
const MUTATIONS = [
  // A directory that is renamed, with what is below it; then one of the old name, with other files in it.
  'mv moved moved-away; mkdir moved; echo other >moved/same; mkdir moved/deep; echo other >moved/deep/same',
  // Two directories that take each other's place: same names, same sizes, other contents.
  'mv left swap; mv right left; mv swap right',
  // Removed and made anew; a file in the place of a directory, and a directory in that of a file.
  'rm -rf again; mkdir again; echo anew >again/anew',
  'rm -rf to-file; echo file >to-file; rm to-directory; mkdir to-directory; echo in >to-directory/in',
  'rm gone; rm links/to-file; ln -s nowhere links/to-file; ln hard/first hard/second',
  'echo more >>appended; chmod 700 hard; chmod 755 mode; : >truncated',
  'mv links/other links/other-name; mkdir -p made/here; mv untouched/one made/here/one',
  `find . -newermt 2021-01-01 -type f -exec touch -d ${FIXED} {} +`,
].join('; ');

async function fixture(cli: Cli): Promise<string> {
  const app = await cli.app('app', {
    'moved/same': 'same',
    'moved/deep/same': 'same',
    'left/a': 'AAAA',
    'left/sub/a': 'aaaa',
    'right/a': 'BBBB',
    'right/sub/a': 'bbbb',
    'again/old': 'old',
    'to-file/x': 'x',
    'to-directory': 'file',
    gone: 'gone',
    'hard/first': 'first',
    appended: 'text\n',
    mode: 'mode',
    truncated: 'long',
    'untouched/one': '1',
    'untouched/two': '2',
    'untouched/deep/three': '3',
    'untouched/ümlaut €': 'not ASCII',
    'big/big.bin': 'big '.repeat(400_000),
    'links/target': 'target',
    'empty/': '',
    empty_file: '',
  });
  await symlink('target', join(app, 'links/to-file'));
  await symlink('../untouched', join(app, 'links/other'));
  await chmod(join(app, 'untouched/two'), 0o755);
  await chmod(join(app, 'untouched/deep'), 0o750);
  await settle(app);
  return app;
}

/** Gives everything one old time, as a checkout of a commit does. */
async function settle(app: string): Promise<void> {
  for (const entry of await readdir(app, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), new Date(FIXED), new Date(FIXED));
}

const digestOf = ({ stdout }: Ended): string => /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? stdout;

describe.skipIf(why !== undefined)(
  `a workspace above the tree of the last package${why === undefined ? '' : ` (NOT RUN: ${why})`}`,
  () => {
    let cli: Cli;
    let app: string;
    const stage = async (how: 'overlay' | 'copy', told: Record<string, string> = {}): Promise<Ended> => {
      const ended = await cli.stage(app, told, ['--workspace', how]);
      expect(ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('copied into') });
      return ended;
    };
    const image = async (): Promise<string> => {
      const trees = join(cli.home, 'layers/trees');
      const [id = ''] = await readdir(trees);
      return join(trees, id, 'image');
    };
    beforeAll(async () => {
      cli = await Cli.make();
      app = await fixture(cli);
    });
    afterAll(async () => {
      expect(await cli.leftovers()).toEqual([]);
      expect(await readdir(join(cli.home, 'layers/tmp'))).toEqual([]);
      await cli[Symbol.asyncDispose]();
    });

    it('gives the droplet of a copy, when the tree is made and when it is used', async () => {
      const copied = digestOf(await stage('copy', { FINALIZE: `cd $1; ${MUTATIONS}` }));
      expect(digestOf(await stage('overlay', { FINALIZE: `cd $1; ${MUTATIONS}` }))).toBe(copied);
      const again = await stage('overlay', { FINALIZE: `cd $1; ${MUTATIONS}` });
      expect(digestOf(again)).toBe(copied);
      expect(again.stdout + again.stderr).toContain('0 files written, the rest as last time');
    });

    it('shows scripts one file system: renames, links, inodes and what is free', async () => {
      const SUPPLY = [
        'cd /tmp/app; mv untouched /tmp/cache/u; mv /tmp/cache/u untouched; ln untouched/one untouched/linked',
        '[ "$(stat -c %h untouched/one)" = 2 ] && [ untouched/one -ef untouched/linked ] && echo linked',
        'find . -exec stat -c %d {} + | sort -u | wc -l; stat -c %u:%a . untouched/two',
        'df -P . | awk "NR == 2 { print \\$6 }"; touch -d 2001-01-01 untouched/two; stat -c %Y untouched/two',
      ].join('; ');
      const [first, second] = [await stage('copy', { SUPPLY }), await stage('overlay', { SUPPLY })];
      const said = ({ stdout, stderr }: Ended): readonly string[] =>
        `${stdout}${stderr}`.split('\n').filter((line) => /^(linked|\d+|\d+:\d+|\/\S*)$/.test(line.trim()));
      expect(said(second)).toEqual(said(first));
      expect(said(second)).toContain('linked');
    });

    it('brings the tree to the next package by what changed, and packs what was not touched unread', async () => {
      await writeFile(join(app, 'untouched/one'), 'changed');
      await rm(join(app, 'again'), { recursive: true });
      await rename(join(app, 'left'), join(app, 'left-renamed'));
      await rm(join(app, 'gone'));
      await cli.app('app', { 'gone/now-a-directory': 'x', 'untouched/new/file': 'new' });
      await settle(app);
      const changed = await stage('overlay');
      expect(changed.stdout + changed.stderr).toMatch(/[56] files written, the rest as last time/);
      expect(digestOf(changed)).toBe(digestOf(await stage('copy')));
    });

    it('makes a tree again whose image was written to, or is gone', async () => {
      const whole = digestOf(await stage('copy'));
      const file = await open(await image(), 'r+');
      await file.write(Buffer.from([0xff]), 0, 1, 5 << 20);
      await file.close();
      const found = await stage('overlay');
      expect(found.stderr).toContain('is damaged (its image was written to)');
      expect(digestOf(found)).toBe(whole);
      await rm(await image());
      const missed = await stage('overlay');
      expect(missed.stderr).toContain('is damaged');
      expect(digestOf(missed)).toBe(whole);
      expect(digestOf(await stage('overlay'))).toBe(whole);
    });

    it('lets no damage that the file system does not know of into a droplet', async () => {
      const whole = digestOf(await stage('overlay'));
      const place = await image();
      const bytes = await readFile(place);
      const at = bytes.indexOf('big big big ');
      const file = await open(place, 'r+');
      await file.write('BIG', at);
      await file.close();
      const { ino, size, mtimeNs, ctimeNs } = await stat(place, { bigint: true });
      const seal = JSON.parse(await readFile(join(dirname(place), 'seal'), 'utf8'));
      seal.image = [ino, size, mtimeNs, ctimeNs].join(' ');
      await writeFile(join(dirname(place), 'seal'), JSON.stringify(seal));
      // What is compressed already is not read again.
      expect(digestOf(await stage('overlay'))).toBe(whole);
      await rm(join(cli.home, 'members'), { recursive: true });
      const found = await cli.stage(app, {}, ['--workspace', 'overlay']);
      expect(found.stderr).toContain('does not hold what was written to it');
      expect(digestOf(await stage('overlay'))).toBe(whole);
    });

    it('is never written to by stagings, of which many may use one tree at once', async () => {
      const before = await readFile(await image());
      const FINALIZE = `cd $1; mv untouched elsewhere; rm -r moved; chmod 700 appended; touch -d ${FIXED} appended`;
      const ended = await Promise.all(
        [0, 1, 2, 3].map(() => cli.stage(app, { FINALIZE }, ['--workspace', 'overlay'])),
      );
      expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
      expect(new Set(ended.map(digestOf)).size).toBe(1);
      expect(before.equals(await readFile(await image()))).toBe(true);
    });

    it('says why a large app is copied', async () => {
      const files = Array.from(
        { length: 2_000 },
        (_, file) => [`many/${file % 9}/${file}`, `${file}`] as const,
      );
      const many = await cli.app('many-files', Object.fromEntries(files));
      const ended = await cli.stage(many, {}, ['--disk-bound', 'watch']);
      expect(ended).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('2,000 files, copied (no tree'),
      });
    });

    it('is copied where a disk has no room for a tree, and nothing of one is left there', async () => {
      const disk = DiskImage.make({ mebibytes: 256, inodes: 20_000 });
      try {
        const home = join(disk.mount, 'home');
        const ended = await cli.stage(app, {}, ['--workspace', 'overlay', '--home', home, '--disk', '64M']);
        expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('has little room') });
        expect(digestOf(ended)).toBe(digestOf(await stage('copy')));
      } finally {
        disk.remove();
      }
    });
  },
);
