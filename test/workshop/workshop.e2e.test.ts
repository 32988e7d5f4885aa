/** The workshop as an author uses it: through bin/stager, from a new buildpack to a packaged one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, events } from '../support/cli.ts';

const STAGER = fileURLToPath(new URL('../../bin/stager', import.meta.url));
let cli: Cli;
beforeAll(async () => {
  cli = await Cli.make();
});
afterAll(async () => {
  const left = await cli.leftovers();
  await cli[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

describe.each(['sh', 'ts'])('a new buildpack in %s', (language) => {
  const name = `try-${language}`;

  it('passes its own tests and lint as it is written, packages equally, and stages from the package', async () => {
    expect(await cli.run(['buildpack', 'new', name, '--language', language])).toMatchObject({ code: 0 });
    const linted = await cli.run(['buildpack', 'lint', name]);
    expect(linted).toMatchObject({ code: 0, stdout: '' });
    const tested = await cli.run(['buildpack', 'test', name, '--json']);
    expect(tested.code, tested.stdout + tested.stderr).toBe(0);
    expect(events(tested.stdout)).toMatchObject([
      { fixture: 'greets', outcome: 'passed', first: { processes: { web: `${name}-hello` } } },
      { fixture: 'other', outcome: 'passed' },
    ]);
    const made = await cli.run(['buildpack', 'package', name, '--json']);
    const again = await cli.run(['buildpack', 'package', name, '--json', '--out', 'again.zip'], {
      env: { TZ: 'Asia/Tokyo' },
    });
    const [first, second] = [events(made.stdout)[0], events(again.stdout)[0]];
    expect(first).toMatchObject({ file: join(cli.dir, `${name}_buildpack-v0.1.0.zip`) });
    expect(Object(second).sha256).toBe(Object(first).sha256);
    const staged = await cli.run([
      'stage',
      join(name, 'test/fixtures/greets'),
      '-b',
      `./${name}_buildpack-v0.1.0.zip`,
      '--json',
    ]);
    expect(staged.code, staged.stderr).toBe(0);
  });
});

describe('stager buildpack test', () => {
  it('fails its tests with what is different, until --update takes it over', async () => {
    const name = 'changed';
    await cli.run(['buildpack', 'new', name]);
    const release = join(cli.dir, name, 'bin/release');
    await writeFile(release, (await readFile(release, 'utf8')).replace('-hello', '-hello --loud'));
    const failed = await cli.run(['buildpack', 'test', name, '--fixture', 'greets']);
    expect(failed.code).toBe(37);
    expect(failed.stdout).toContain(
      `✗ processes.web: expected "${name}-hello", saw ${name}-hello --loud\n  failed: 1 not as expected`,
    );
    expect(await cli.run(['buildpack', 'test', name, '--update', '-q'])).toMatchObject({ code: 0 });
    const expectations = await readFile(join(cli.dir, name, 'test/fixtures/greets.expect.yml'), 'utf8');
    expect(expectations).toMatch(/^# What the buildpack has to leave/);
    expect(expectations).toContain('contains: /home/vcap/deps/0/bin');
    expect(await cli.run(['buildpack', 'test', name, '-q'])).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('stager buildpack lint', () => {
  it('fails on errors, each with its place and reason', async () => {
    await cli.app('broken', { 'bin/supply': 'echo no shebang\n' });
    const { code, stdout } = await cli.run(['buildpack', 'lint', 'broken', '--json']);
    expect(code).toBe(31);
    expect(events(stdout)).toContainEqual(
      expect.objectContaining({ id: 'shebang-missing', severity: 'error', path: 'bin/supply', line: 1 }),
    );
  });
});

describe('--trace', () => {
  it('shows each command of a shell buildpack, and what it was called with', async () => {
    await cli.run(['buildpack', 'new', 'traced']);
    const { code, stderr } = await cli.run([
      'stage',
      'traced/test/fixtures/greets',
      '-b',
      './traced',
      '--trace',
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain('+ build=/tmp/app\n');
    expect(stderr).toContain('+ dep=/tmp/contents/deps/0\n');
  });
});

describe('stager shell', () => {
  it('runs a command where scripts run, with their environment and buildpacks, and keeps its status', async () => {
    const app = await cli.app('shell-app');
    await cli.run(['buildpack', 'new', 'shown']);
    const command =
      'pwd; id -un; ls; ls /tmp/buildpacks/*/bin; ls -d /tmp/contents/deps/0; echo $USER $A; exit 9';
    const { code, stdout } = await cli.run([
      'shell',
      app,
      '-b',
      './shown',
      '-e',
      'A=b',
      '--command',
      command,
    ]);
    expect(code).toBe(9);
    expect(stdout.split('\n')).toEqual([
      '/tmp/app',
      'vcap',
      'index.html',
      'detect',
      'finalize',
      'release',
      'supply',
      '/tmp/contents/deps/0',
      'vcap b',
      '',
    ]);
    expect(await readdir(join(cli.home, 'workspaces'))).toEqual([]);
  });

  it('has the buildpack that detect chooses, and what a manifest says', async () => {
    const app = await cli.app('detected-app', {
      'start.sh': 'true',
      Procfile: 'web: ./start.sh',
      'manifest.yml': 'applications:\n- name: shop\n  env: { A: from the manifest }\n',
    });
    const command = 'ls /tmp/buildpacks/*/bin/detect | wc -l; echo "$A"';
    const { stdout, stderr } = await cli.run(['shell', '-f', app, '--command', command]);
    expect(stdout, stderr).toBe('1\nfrom the manifest\n');
  });

  it('opens in a kept workspace and leaves it there', async () => {
    const app = await cli.app('kept-app');
    await cli.run(['shell', app, '--keep', 'always', '--command', 'echo mine >/tmp/app/note']);
    const [guid = ''] = await readdir(join(cli.home, 'workspaces'));
    const workspace = join(cli.home, 'workspaces', guid);
    const { stdout } = await cli.run(['shell', '--workspace', workspace, '--command', 'cat note']);
    expect(stdout).toBe('mine\n');
    await access(workspace);
    expect(await cli.run(['shell', app, '--workspace', workspace])).toMatchObject({ code: 2 });
    await rm(workspace, { recursive: true });
    expect(await cli.run(['shell', '--workspace', cli.dir, '--command', 'true'])).toMatchObject({ code: 2 });
  });

  it('gives a person a terminal with job control', async () => {
    const app = await cli.app('terminal-app');
    const child = spawn('script', ['-qefc', `${STAGER} shell ${app}`, '/dev/null'], {
      env: {
        PATH: process.env['PATH'],
        HOME: cli.dir,
        STAGER_HOME: cli.home,
        TERM: 'xterm',
        SHELL: '/bin/sh',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    let told = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (told || !said.includes('$ ')) return;
      told = true;
      child.stdin.write('tty; sleep 1000 & jobs; echo "$TERM"; kill %1; exit 6\n');
    });
    await once(child, 'close');
    expect(said).toContain('/dev/pts/0');
    expect(said).toMatch(/Running\s+sleep 1000/);
    expect(said).not.toContain('no job control');
    expect(child.exitCode).toBe(6);
  });
});

describe('stager files', () => {
  it('lists to stdout, counts to stderr, and explains', async () => {
    const app = await cli.app('files-app', { 'a.txt': '12', 'b.log': '', '.cfignore': '*.log\n' });
    expect(await cli.run(['files', app])).toMatchObject({
      code: 0,
      stdout: '0644          2 a.txt\n',
      stderr: '1 file, 0 directories, 2 B\n',
    });
    const explained = await cli.run(['files', app, '--explain', 'b.log']);
    expect(explained.stdout).toBe('b.log is left out: .cfignore line 1 says *.log\n');
  });
});
