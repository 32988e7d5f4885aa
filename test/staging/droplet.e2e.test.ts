/** The droplet that comes out: what is in it, that a cell could run it, and that it is the same twice. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Cli, events, TOLD } from '../support/cli.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/launcher', import.meta.url));

/** Writes what a real buildpack writes: tools, a profile script, odd modes, links, set-id bits. */
const SUPPLY = `
mkdir -p "$3/$4/bin" "$3/$4/profile.d"
printf '#!/bin/sh\\necho tool of deps\\n' > "$3/$4/bin/tool"; chmod 755 "$3/$4/bin/tool"
ln -s tool "$3/$4/bin/alias"
echo 'export PATH=$PATH:$DEPS_DIR/'"$4"'/bin' > "$3/$4/profile.d/path.sh"
cp "$3/$4/bin/tool" "$1/setid"; chmod 6755 "$1/setid"
echo secret > "$1/private"; chmod 600 "$1/private"
mkdir "$1/sticky" "$1/empty"; chmod 1777 "$1/sticky"`;
/** As a finalize does, so that the launcher finds the scripts. */
const FINALIZE = 'mkdir -p "$5"; cp "$3/$4/profile.d/"*.sh "$5/"';

let cli: Cli;
let app: string;

beforeAll(async () => {
  cli = await Cli.make();
  app = await cli.app('app', { 'index.html': 'hello', '.profile': 'echo "profile of the app"\n' });
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

async function droplet(
  name: string,
  told: Readonly<Record<string, string>>,
  more: string[] = [],
): Promise<string> {
  const file = join(cli.dir, name);
  expect(await cli.stage(app, told, ['--output', file, ...more])).toMatchObject({ code: 0 });
  return file;
}

const Ended = z.object({
  type: z.literal('staging-ended'),
  record: z.object({ reused: z.boolean(), droplet: z.object({ guid: z.guid(), sha256: z.string() }) }),
});

async function staged(more: readonly string[], told: Readonly<Record<string, string>> = {}) {
  const { stdout } = await cli.stage(app, told, ['--json', ...more]);
  return Ended.parse(events(stdout).at(-1)).record;
}

describe('a droplet', () => {
  it('holds what a cell expects, owned by vcap, with modes and links and without set-id bits', async () => {
    const file = await droplet('listed.tgz', { SUPPLY, FINALIZE });
    const listing = execFileSync('tar', ['-tvzf', file], { encoding: 'utf8' });
    const lines = listing
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expect(new Set(lines.map(([, owner]) => owner))).toEqual(new Set(['vcap/vcap']));
    const modes = Object.fromEntries(lines.map((line) => [line.slice(5).join(' '), line[0]]));
    expect(modes).toMatchObject({
      './': expect.any(String),
      './app/': expect.any(String),
      './app/empty/': 'drwxr-xr-x',
      './app/private': '-rw-------',
      './app/setid': '-rwxr-xr-x',
      './deps/0/bin/tool': '-rwxr-xr-x',
      './deps/0/bin/alias -> tool': 'lrwxrwxrwx',
      './logs/': expect.any(String),
      './profile.d/path.sh': expect.any(String),
      './staging_info.yml': expect.any(String),
      './tmp/': expect.any(String),
    });
    const tops = Object.keys(modes).map((name) => name.split('/').slice(0, 2).join('/'));
    expect([...new Set(tops)].sort()).toEqual(
      ['./', './app', './deps', './logs', './profile.d', './staging_info.yml', './tmp'].sort(),
    );
  });

  it('runs as on a cell: unpacked by GNU tar, started by the launcher', async () => {
    const file = await droplet('run.tgz', {
      SUPPLY,
      FINALIZE,
      RELEASE: 'printf "default_process_types:\\n  web: tool; cat index.html\\n"',
    });
    const home = join(cli.dir, 'vcap');
    await mkdir(home);
    execFileSync('tar', ['-xpzf', file, '-C', home]);
    const output = execFileSync(LAUNCHER, ['app', '', ''], {
      cwd: home,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: home, USER: 'vcap', VCAP_APPLICATION: '{}' },
    });
    expect(output).toBe(
      'Invoking pre-start scripts.\nprofile of the app\nInvoking start command.\ntool of deps\nhello',
    );
  });

  it('is the same bytes twice, with file times kept and without', async () => {
    const first = await readFile(await droplet('1.tgz', {}, ['--no-cache']));
    expect((await readFile(await droplet('2.tgz', {}, ['--no-cache']))).equals(first)).toBe(true);
    const third = await readFile(await droplet('3.tgz', { SUPPLY, FINALIZE }, ['--reproducible']));
    expect(
      (await readFile(await droplet('4.tgz', { SUPPLY, FINALIZE }, ['--reproducible']))).equals(third),
    ).toBe(true);
  });
});

describe('the build cache', () => {
  const COUNT = 'echo x >> "$2/count"; echo "count $(wc -l < "$2/count")"';
  const count = async (more: string[] = []): Promise<string | undefined> =>
    /count (\d+)/.exec((await cli.stage(app, { SUPPLY: COUNT }, more)).stdout)?.[1];

  it('is kept, left alone by --no-cache, and started over by --clear-cache', async () => {
    expect([await count(), await count(), await count(['--no-cache']), await count()]).toEqual([
      '1',
      '2',
      '1',
      '3',
    ]);
    expect([await count(['--clear-cache']), await count()]).toEqual(['1', '2']);
  });
});

describe('--reuse', () => {
  it('returns the earlier droplet until a variable, a file or a buildpack is another', async () => {
    const first = await staged(['--reuse']);
    const again = await staged(['--reuse']);
    expect(again).toEqual({ reused: true, droplet: first.droplet });
    expect(await staged(['--reuse'], { COLOUR: 'blue' })).toMatchObject({ reused: false });
    await writeFile(join(app, 'index.html'), 'other');
    expect(await staged(['--reuse'])).toMatchObject({ reused: false });
    await writeFile(join(app, 'index.html'), 'hello');
    expect(await staged(['--reuse'])).toMatchObject({ reused: true });
    const fork = join(cli.dir, 'does-as-told');
    execFileSync('cp', ['-r', TOLD, fork]);
    const args = ['stage', app, '-b', fork, '--json', '--reuse'];
    // The same bytes under another path are the same buildpack by content, but not the same reference.
    await writeFile(join(fork, 'bin/supply'), '#!/bin/sh\necho changed\n');
    const { stdout } = await cli.run(args);
    expect(Ended.parse(events(stdout).at(-1)).record).toMatchObject({ reused: false });
  });
});

describe('--reuse after a staging without it', () => {
  it('writes the droplet to --output, and stages again when it is no longer stored', async () => {
    await writeFile(join(app, 'index.html'), 'reused');
    const first = await staged([]);
    const file = join(cli.dir, 'reused.tgz');
    expect(await staged(['--reuse', '--output', file])).toEqual({ reused: true, droplet: first.droplet });
    expect(
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    ).toBe(first.droplet.sha256);
    for (const path of ['droplets', '.stager/droplets'])
      await rm(join(cli.home, 'blobs', path), { recursive: true });
    const again = await staged(['--reuse']);
    expect(again).toMatchObject({ reused: false, droplet: { sha256: first.droplet.sha256 } });
    await writeFile(join(app, 'index.html'), 'hello');
  });
});

describe('--lock and --frozen', () => {
  it('hold a staging to the buildpacks of stager.lock', async () => {
    const cwd = await cli.app('locked', { 'index.html': 'x' });
    const copy = join(cli.dir, 'pinned');
    execFileSync('cp', ['-r', TOLD, copy]);
    const run = (flag: string) => cli.run(['stage', '-b', copy, flag], { cwd });
    expect(await run('--lock')).toMatchObject({ code: 0 });
    expect(await run('--frozen')).toMatchObject({ code: 0 });
    expect(await cli.run(['stage', '--frozen'], { cwd })).toMatchObject({ code: 0 });
    await writeFile(join(copy, 'bin/supply'), '#!/bin/sh\necho changed\n');
    expect(await run('--frozen')).toMatchObject({
      code: 36,
      stderr: expect.stringMatching(/^error BUILDPACK_MOVED \(operator\)/),
    });
  });
});

describe('a manifest', () => {
  it('is locked app by app, also where an earlier droplet is returned', async () => {
    const cwd = await cli.app('locked-apps', {
      'manifest.yml': `applications:\n- { name: one, path: a, buildpack: ${TOLD} }\n- { name: two, path: a, buildpack: ${TOLD} }\n`,
      'a/index.html': 'a',
    });
    const run = (...flags: string[]) => cli.run(['stage', '-f', '.', ...flags], { cwd });
    expect(await run('--reuse')).toMatchObject({ code: 0 });
    expect(await run('--reuse', '--lock')).toMatchObject({ code: 0 });
    expect(await run('--frozen')).toMatchObject({ code: 0 });
    expect(await run('--frozen', '--app-name', 'two')).toMatchObject({ code: 0 });
    expect(await cli.run(['stage', 'a', '--frozen'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('only for one, two'),
    });
  });

  it('is refused before anything is staged when a path is not there or one file is named for several', async () => {
    const cwd = await cli.app('two-paths', {
      'manifest.yaml': 'applications:\n- { name: one, path: a }\n- { name: two, path: gone }\n',
      'a/index.html': 'a',
    });
    const run = (...flags: string[]) => cli.run(['stage', '-f', '.', '-b', TOLD, ...flags], { cwd });
    expect(await run()).toMatchObject({
      code: 10,
      stdout: '',
      stderr: expect.stringMatching(/gone, the path of application two, does not exist/),
    });
    expect(await run('-o', 'droplet.tgz')).toMatchObject({ code: 2 });
    expect(await cli.run(['stage', '-b', TOLD, '--var', 'a=b'], { cwd })).toMatchObject({ code: 2 });
  });

  it('gives the build at least what it gets without one, and the app the health check it asks for', async () => {
    const dir = await cli.app('small', {
      'manifest.yml': `applications:\n- name: small\n  memory: 64M\n  disk_quota: 8G\n  buildpack: ${TOLD}\n  command: sleep 60\n  health-check-type: http\n  timeout: 1\n  env: { SUPPLY: 'echo "limit $MEMORY_LIMIT [$NONE]"', NONE: }\n`,
      'index.html': 'a',
    });
    const { stdout } = await cli.run(['stage', '-f', dir, '--json']);
    expect(stdout).toContain('limit 1024m []');
    expect(stdout).toContain('"limits":{"memoryMb":1024,"diskMb":8192,');
    const ran = await cli.run(['run']);
    expect(ran).toMatchObject({ code: 91, stderr: expect.stringContaining('HEALTH_CHECK_FAILED') });
    expect(ran.stderr).toContain('http');
  });

  it('stages its apps, or the one that is named, with its variables', async () => {
    const dir = await cli.app('two', {
      'manifest.yml': `applications:
- name: one
  path: a
  buildpacks: [${TOLD}]
  env: { SUPPLY: 'echo "((word)) one"' }
- name: two
  path: b
  buildpacks: [${TOLD}]
  env: { SUPPLY: 'echo "((word)) two"' }
`,
      'a/index.html': 'a',
      'b/index.html': 'b',
    });
    const args = ['stage', '-f', join(dir, 'manifest.yml'), '--var', 'word=hello'];
    const both = await cli.run(args);
    expect(both).toMatchObject({ code: 0, stdout: expect.stringMatching(/hello one\n.*hello two\n/s) });
    const one = await cli.run([...args, '--app-name', 'two']);
    expect(one.stdout).toMatch(/hello two\n/);
    expect(one.stdout).not.toMatch(/hello one\n/);
  });
});
