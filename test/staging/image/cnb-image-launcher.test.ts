import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CnbHome } from '../../../src/staging/cnb/cnb-home.ts';
import { readCnbMetadata } from '../../../src/staging/cnb/cnb-metadata.ts';
import { CNB_IMAGE_LAUNCHER } from '../../../src/staging/image/cnb-image-script.ts';
import { launchText } from '../../../src/staging/image/cnb-image-types.ts';
import { writeAt } from '../cnb/support.ts';
import { CNB_DROPLET, writeCnbDroplet } from './cnb-droplet.ts';

/** Of the container, which a directory plays. */
let root = '';

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'stager-cnb-launcher-'));
  const home = writeCnbDroplet(join(root, 'home/vcap'));
  const droplet = {
    home: new CnbHome(home, 'DROPLET_INVALID'),
    metadata: readCnbMetadata(CNB_DROPLET['layers/config/metadata.toml'] ?? ''),
  };
  const here = (text: string): string =>
    text
      .replaceAll('/home/vcap', `${root}/home/vcap`)
      .replaceAll('"/cnb/', `"${root}/cnb/`)
      .replaceAll('source /cnb/', `source ${root}/cnb/`)
      .replaceAll('ls /cnb/', `ls ${root}/cnb/`);
  writeAt(join(root, 'cnb/lifecycle/launcher'), here(CNB_IMAGE_LAUNCHER), 0o755);
  writeAt(join(root, 'cnb/lifecycle/command'), here(await launchText(undefined, droplet)));
  mkdirSync(join(root, 'cnb/process'));
  for (const process of droplet.metadata.processes) {
    writeAt(join(root, 'cnb/lifecycle/types', process.type), here(await launchText(process, droplet)));
    symlinkSync('../lifecycle/launcher', join(root, 'cnb/process', process.type));
  }
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Launched {
  readonly status: number | null;
  readonly out: string;
  readonly said: string;
}

function launch(
  program: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Launched {
  const { status, stdout, stderr, error } = spawnSync(join(root, 'cnb', program), args, {
    encoding: 'utf8',
    env: { PATH: `/cnb/process:/cnb/lifecycle:${process.env['PATH']}`, CNB_APP_DIR: '/x', ...env },
  });
  if (error !== undefined) throw error;
  return { status, out: stdout.replaceAll(root, ''), said: stderr };
}

/** What a program of exec.d that writes `toml` sets; undefined when it is refused. */
function setBy(toml: string, names: readonly string[]): Record<string, string> | undefined {
  const functions = CNB_IMAGE_LAUNCHER.slice(0, CNB_IMAGE_LAUNCHER.indexOf('_type='));
  const { status, stdout } = spawnSync(
    'bash',
    [
      '-c',
      `${functions}\ntexts "$1" || exit 9; shift; for name; do printf '%s\\0' "\${!name}"; done`,
      'test',
      toml,
      ...names,
    ],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C' } },
  );
  if (status !== 0) return undefined;
  const values = stdout.split('\0');
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

describe('the launcher of an image of Cloud Native Buildpacks', () => {
  it('starts a process without a shell, with the variables of its layers and type', () => {
    const said = `it's a layer|said "it's a layer"|web only|mine,one,two|`;
    const env = { LIST: 'mine' };
    expect(launch('process/web', [], env)).toEqual({
      status: 0,
      out: `out\ntool[always by default] in /home/vcap/workspace: ${said}\n`,
      said: '',
    });
    expect(launch('process/web', ['mine'], env).out).toContain('tool[always mine] in');
    expect(launch('process/below').out).toContain(`tool[x] in /home/vcap/workspace/static: it's a layer`);
  });

  it('sources profile scripts for a process with a shell, and expands its words', () => {
    expect(launch('process/shell').out).toBe(
      `out\nshell ran it's a layer profile said "it's a layer" bash\n`,
    );
    expect(launch('process/words').out).toBe('out\none,two a b\n');
    expect(launch('process/words', ['more'], { LIST: 'x y' }).out).toBe('out\nx y,one,two a b more\n');
  });

  it('starts any command, with and without a shell, and says what is missing with 82', () => {
    expect(launch('lifecycle/launcher', ['echo $FROM_LAYER-$ONLY_WEB']).out).toBe("out\nit's a layer-\n");
    expect(launch('lifecycle/launcher', ['--', 'tool', '$HOME']).out).toContain('tool[$HOME] in');
    expect(launch('lifecycle/launcher')).toMatchObject({ status: 82, said: /below shell web words/ });
    expect(launch('lifecycle/launcher', ['--', 'no-such-program'])).toMatchObject({ status: 82 });
    expect(launch('lifecycle/launcher', ['exit 7']).status).toBe(7);
  });
});

describe('what programs of exec.d write', () => {
  it('may be any text of TOML', () => {
    const toml = `# first
A = "x\\ty \\"q\\" \\u00e9 \\U0001F600" # after
"B"='it $HOME \\n'
'C' = """
line
"two" \\
   joined"""
D = '''
raw 'x' \\t
'''
E=""
F = """"quoted""""
`;
    expect(setBy(toml, ['A', 'B', 'C', 'D', 'E', 'F'])).toEqual({
      A: 'x\ty "q" é 😀',
      B: 'it $HOME \\n',
      C: 'line\n"two" joined',
      D: "raw 'x' \\t\n",
      E: '',
      F: '"quoted"',
    });
    expect(setBy('', [])).toEqual({});
  });

  it.each([
    'A',
    'A = 1',
    '[t]\nA = "x"',
    'A = "x',
    'A = "x" B = "y"',
    'A = "a\nb"',
    "A = 'a\nb'",
    'A = "\\q"',
    'A = "\\u00"',
    'A = "\\u0000"',
    'A.B = "x"',
  ])('is refused when it is something else: %j', (toml) => expect(setBy(toml, ['A'])).toBeUndefined());
});
