import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ExitReport } from '../../../src/machine/sandbox/port/exit-report.ts';
import { readCnbMetadata } from '../../../src/staging/cnb/cnb-metadata.ts';
import { cnbArgv, cnbLauncher, cnbProcessFor } from '../../../src/staging/launch/cnb-launcher.ts';
import type { Prepared, ToLaunch } from '../../../src/staging/launch/launcher.ts';
import type { RunDirs } from '../../../src/staging/launch/layout.ts';
import { dropletOf, removeRun } from './support.ts';

const METADATA = `
[[buildpacks]]
id = "b/one"
api = "0.10"
[[buildpacks]]
id = "two"
api = "0.8"
[[processes]]
type = "web"
command = ["serve"]
args = ["a b", "$HOME"]
direct = true
working-dir = "/home/vcap/workspace/public"
[[processes]]
type = "worker"
command = ["old style"]
args = []
direct = false
`;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const to = (command: string, type?: string): ToLaunch => ({
  command,
  memoryMb: 64,
  source: { id: 'APP/PROC/WEB', index: 0 },
  announce: true,
  env: {
    PATH: '/bin',
    HOME: '/home/vcap/app',
    DEPS_DIR: '/home/vcap/deps',
    TMPDIR: '/x',
    CNB_APP_DIR: '/y',
    APP: 'mine',
  },
  ...(type !== undefined && { type }),
});
let dirs: RunDirs | undefined;

/** A launcher of a droplet of these files; programs of exec.d leave what `says` says. */
async function launcher(
  files: Readonly<Record<string, string>>,
  says: (program: string) => string = () => '',
) {
  const made = await dropletOf({
    'workspace/file': '',
    'layers/config/metadata.toml': METADATA,
    ...files,
  });
  dirs = made;
  const ran: { readonly program: string; readonly env: Readonly<Record<string, string>> }[] = [];
  const run = async ({ argv, env }: Prepared): Promise<ExitReport> => {
    const [, , , file = '', program = ''] = argv;
    ran.push({ program, env });
    const text = says(program);
    if (text !== 'fail') writeFileSync(join(made.tmp, file.replace('/tmp/', '')), text);
    return { outcome: { kind: 'exited', code: text === 'fail' ? 3 : 0 }, durationMs: 1 };
  };
  mkdirSync(made.tmp, { recursive: true });
  const found = await cnbLauncher(made, { owner, run });
  if (found === undefined) throw new Error('not taken for a droplet of Cloud Native Buildpacks');
  return { ran, prepare: found.prepare, found };
}

afterEach(async () => {
  if (dirs !== undefined) await removeRun(dirs);
  dirs = undefined;
});

describe('the launcher of Cloud Native Buildpacks', () => {
  it('#81 applies the layers of each buildpack, for launch and for the type', async () => {
    const { prepare } = await launcher({
      'layers/b_one/a/bin/x': '',
      'layers/b_one/a/env/V.append': 'a',
      'layers/b_one/b/env.launch/V.append': 'b',
      'layers/b_one/b/env.launch/V.delim': ':',
      'layers/b_one/b/env.launch/worker/V': 'worker',
      'layers/b_one/b/env.build/V': 'never',
      'layers/two/c/lib/x': '',
      'layers/two/c/env.launch/APP.default': 'never',
      'layers/other/d/env/V': 'never',
    });
    const web = await prepare(to('serve a b $HOME', 'web'));
    expect(web.env).toEqual({
      PATH: '/home/vcap/layers/b_one/a/bin:/bin',
      LD_LIBRARY_PATH: '/home/vcap/layers/two/c/lib',
      HOME: '/home/vcap',
      APP: 'mine',
      V: 'a:b',
    });
    expect((await prepare(to('old style', 'worker'))).env['V']).toBe('worker');
  });

  it('#81 runs exec.d programs one after the other, and what they write replaces variables', async () => {
    const files = {
      'layers/b_one/a/exec.d/2': '',
      'layers/b_one/a/exec.d/1': '',
      'layers/b_one/a/exec.d/worker/3': '',
    };
    const { ran, prepare } = await launcher(
      files,
      (program) => `APP = "from ${program.split('/').at(-1)}"\n`,
    );
    const web = await prepare(to('serve a b $HOME', 'web'));
    expect(ran.map(({ program, env }) => [program.split('/').at(-1), env['APP']])).toEqual([
      ['1', 'mine'],
      ['2', 'from 1'],
    ]);
    expect(web.env['APP']).toBe('from 2');
    expect((await prepare(to('old style', 'worker'))).env['APP']).toBe('from 3');
    for (const [text, why] of [
      ['fail', /ended with 3/],
      ['A = 1\n', /other than texts/],
      ['A = ', /not TOML/],
    ] as const) {
      const other = await launcher(files, () => text);
      await expect(other.prepare(to('serve a b $HOME', 'web'))).rejects.toMatchObject({
        code: 'DROPLET_INVALID',
        message: expect.stringMatching(why),
      });
    }
  });

  it('follows links of layers inside the droplet, and never out of it', async () => {
    const { prepare } = await launcher({ 'layers/b_one/a/real/IN': 'in', 'layers/b_one/a/x': '' });
    const root = dirs?.home ?? '';
    symlinkSync('/home/vcap/layers/b_one/a/real', join(root, 'layers/b_one/a/env'));
    symlinkSync('/etc', join(root, 'layers/b_one/a/env.launch'));
    symlinkSync('/etc', join(root, 'layers/b_one/linked'));
    const { env } = await prepare(to('serve a b $HOME', 'web'));
    expect(env['IN']).toBe('in');
    expect(env['hostname']).toBeUndefined();
  });

  it('#86 starts a process by its text, and any other command in a shell', () => {
    const metadata = readCnbMetadata(METADATA);
    expect(cnbProcessFor(metadata, { command: 'serve a b $HOME', type: 'web' })).toMatchObject({
      type: 'web',
      direct: true,
    });
    expect(cnbProcessFor(metadata, { command: 'old style' })).toMatchObject({ type: 'worker' });
    expect(cnbProcessFor(metadata, { command: 'echo hi', type: 'web' })).toEqual({
      command: ['echo hi'],
      args: [],
      direct: false,
    });
  });

  it('#82 keeps the words of a direct process, expands those of an old one, and reads its profiles', async () => {
    const said = (...argv: Parameters<typeof cnbArgv>): string => {
      const [program, ...args] = cnbArgv(...argv);
      return execFileSync(program, args, {
        env: { PATH: '/usr/bin:/bin', WHO: 'a  b' },
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    };
    const process = { command: ['printf', '%s|'], args: ['a b', '$WHO'], workingDir: '/' };
    expect(said({ ...process, direct: true }, [])).toBe('a b|$WHO|');
    expect(said({ ...process, command: ['printf'], args: ['%s|', '$WHO', 'c d'], direct: false }, [])).toBe(
      'a  b|c d|',
    );
    expect(
      said({ command: ['echo "$WHO" | tr a A; pwd'], args: [], direct: false, workingDir: '/' }, []),
    ).toBe('A  b\n/\n');
    const { found } = await launcher({ 'workspace/profile': 'export WHO=profile' });
    expect(found.processTypes).toEqual({ web: 'serve a b $HOME', worker: 'old style' });
    const profile = join(dirs?.home ?? '', 'workspace/profile');
    expect(said({ command: ['echo $WHO'], args: [], direct: false, workingDir: '/' }, [profile])).toBe(
      'profile\n',
    );
    expect(() => said({ ...process, command: ['no-such-program'], direct: true }, [])).toThrow(
      /no-such-program is not a program/,
    );
  });

  it('refuses metadata that no lifecycle wrote, and a droplet without its app', async () => {
    for (const text of ['[[', '[[buildpacks]]\nid = "a"\napi = "9.9"\n', '[[processes]]\ntype = "web"\n'])
      expect(() => readCnbMetadata(text), text).toThrow(/metadata.toml/);
    const made = await launcher({});
    const root = dirs?.root ?? '';
    execFileSync('rm', ['-r', join(root, 'home/workspace')]);
    const run = async (): Promise<never> => await Promise.reject(new Error('nothing runs'));
    await expect(
      cnbLauncher({ root, home: join(root, 'home'), tmp: join(root, 'tmp') }, { owner, run }),
    ).rejects.toMatchObject({ code: 'DROPLET_INVALID' });
    expect(made.ran).toEqual([]);
  });
});
