/** What the python buildpack reads, chooses, converts and refuses, without a Python. */
import { describe, expect, it } from 'vitest';
import { readJson, readToml } from '../../buildpacks/kit/files.ts';
import { createLog } from '../../buildpacks/kit/log.ts';
import { loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { chooseManager } from '../../buildpacks/python/src/manager.ts';
import { fromPipfileLock } from '../../buildpacks/python/src/pipfile.ts';
import { fromPoetryLock } from '../../buildpacks/python/src/poetry.ts';
import { unfitWheels } from '../../buildpacks/python/src/vendor.ts';
import { choosePython, fromSpecifiers, pythonWish } from '../../buildpacks/python/src/version.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

/** What supply reads before it installs anything. */
async function read(dir: string): Promise<string> {
  const manager = await chooseManager(dir);
  const wish = await pythonWish(dir);
  const manifest = await loadManifest('buildpacks/python');
  const lines: string[] = [];
  const found = choosePython(
    {
      manifest,
      env: { CF_STACK: 'host' },
      log: createLog((line) => lines.push(line)),
      choose: (name, range) =>
        resolve(manifest, name, range ?? '3.13.x', { stack: 'host', arch: process.arch }),
    },
    wish,
  );
  if (manager.name === 'pipenv') fromPipfileLock(await readJson(dir, manager.file), {});
  if (manager.name === 'poetry')
    fromPoetryLock(await readToml(dir, manager.file), await readToml(dir, 'pyproject.toml'));
  return `${manager.name} ${found.version} ${lines.join(' ')}`;
}

const LOCK = '[metadata]\nlock-version = "2.1"\n';
const PIPFILE = (entry: object) => JSON.stringify({ _meta: { sources: [] }, default: { a: entry } });

describe('the version of Python', () => {
  it.each<[string, AppFiles, RegExp]>([
    ['runtime.txt', { 'runtime.txt': 'python-3.12.x\r\n' }, /^pip 3\.12\.\d+ .*\(runtime\.txt\)/],
    ['.python-version', { '.python-version': '# ours\n3.11\n' }, /^pip 3\.11\.\d+ .*\(\.python-version\)/],
    ['UTF-16', { 'runtime.txt': Buffer.from('\uFEFFpython-3.12\r\n', 'utf16le') }, /^pip 3\.12\./],
    [
      'requires-python',
      { 'pyproject.toml': '[project]\nrequires-python = ">=3.11,<3.14,!=3.13.0"\n' },
      /^pip 3\.13\..*requires-python/,
    ],
    ['nothing', {}, /^pip 3\.13\.\d+ .*the default/],
    [
      'an exact patch that there is not',
      { 'runtime.txt': 'python-3.12.99' },
      /^pip 3\.12\.\d+ .*WARNING.*3\.12\.99 \(runtime\.txt\) is not available/,
    ],
  ])('comes from %s', async (_what, files, expected) => {
    expect(await withAppFiles({ 'requirements.txt': '', ...files }, read)).toMatch(expected);
  });

  it('has the ranges of PEP 440', () => {
    for (const [text, range] of [
      ['~=3.12', '^3.12'],
      ['~=3.12.1', '~3.12.1'],
      ['==3.13.*', '3.13.x'],
      ['>= 3.11, < 4', '>=3.11 <4'],
      ['^3.11', '^3.11'],
    ] as const) {
      expect(fromSpecifiers(text, 'x')).toBe(range);
    }
  });
});

describe('locks become requirements', () => {
  it('of Pipenv with extras, markers, hashes and private indexes', () => {
    const lock = {
      _meta: {
        sources: [{ url: 'https://pypi.org/simple' }, { url: 'https://$USER@pypi.example/simple' }],
      },
      default: {
        a: {
          version: '==1.0',
          hashes: ['sha256:11', 'sha256:22'],
          markers: "python_version >= '3.9'",
          extras: ['x', 'y'],
        },
      },
      develop: { b: { version: '==2' } },
    };
    expect(fromPipfileLock(lock, { USER: 'bob' })).toBe(
      "--extra-index-url https://bob@pypi.example/simple\na[x,y]==1.0 ; python_version >= '3.9' \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\n",
    );
  });

  it('of Poetry 2.1 by group and marker of each package', () => {
    const lock = {
      metadata: { 'lock-version': '2.1' },
      package: [
        {
          name: 'A',
          version: '1',
          groups: ['main'],
          markers: 'os_name == "posix"',
          files: [{ hash: 'sha256:1' }],
        },
        { name: 'b', version: '2', groups: ['dev'], files: [] },
        {
          name: 'c',
          version: '3',
          groups: ['dev', 'main'],
          files: [],
          source: { type: 'legacy', url: 'https://i.example/simple' },
        },
      ],
    };
    expect(fromPoetryLock(lock, {})).toBe(
      '--extra-index-url https://i.example/simple\nA==1 ; os_name == "posix" \\\n    --hash=sha256:1\nc==3\n',
    );
  });

  it('of older Poetry by who asks for a package, and on which condition', () => {
    const lock = {
      metadata: { 'lock-version': '2.0' },
      package: [
        {
          name: 'web',
          version: '1',
          dependencies: {
            Win_Only: { version: '*', markers: 'os_name == "nt"' },
            both: '*',
            extra: { version: '*', optional: true },
          },
        },
        { name: 'win-only', version: '2', dependencies: { both: '*', deep: '*' } },
        { name: 'both', version: '3' },
        { name: 'deep', version: '4', dependencies: { 'win-only': '*' } },
        { name: 'extra', version: '5' },
        { name: 'test', version: '6' },
      ],
    };
    const project = { tool: { poetry: { dependencies: { python: '^3.12', Web: '^1' } } } };
    expect(fromPoetryLock(lock, project).trim().split('\n')).toEqual([
      'web==1',
      'win-only==2 ; os_name == "nt"',
      'both==3',
      'deep==4 ; os_name == "nt"',
    ]);
  });
});

describe('vendor/', () => {
  it('is told which wheels are for another machine or another Python', () => {
    const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
    const fitting = [
      'flask-3.1.0-py3-none-any.whl',
      `numpy-2.1.0-cp313-cp313-manylinux_2_17_${machine}.manylinux2014_${machine}.whl`,
      `cryptography-44.0.0-cp39-abi3-manylinux_2_34_${machine}.whl`,
      'six-1.17.0-py2.py3-none-any.whl',
      'pyyaml-6.0.2.tar.gz',
    ];
    const unfit = [
      ['numpy-2.1.0-cp313-cp313-macosx_14_0_arm64.whl', 'machine'],
      ['numpy-2.1.0-cp313-cp313-win_amd64.whl', 'machine'],
      [`numpy-2.1.0-cp313-cp313-musllinux_1_2_${machine}.whl`, 'machine'],
      ['numpy-2.1.0-cp313-cp313-manylinux_2_17_ppc64le.whl', 'machine'],
      [`numpy-2.1.0-cp312-cp312-manylinux_2_17_${machine}.whl`, 'Python'],
      ['old-1.0-py2-none-any.whl', 'Python'],
    ] as const;
    expect(unfitWheels([...fitting, ...unfit.map(([name]) => name)], '3.13')).toEqual(
      unfit.map(([name, what]) => `${name} (for another ${what})`),
    );
  });
});

describe('an app', () => {
  const pip = { 'requirements.txt': 'flask\n' };
  it.each<[string, AppFiles, string]>([
    ['nothing to install', { 'app.py': '' }, 'nothing says which packages the app needs'],
    [
      'two lock files',
      { ...pip, 'uv.lock': '' },
      'several files say what to install: requirements.txt, uv.lock',
    ],
    ['a Pipfile without lock', { Pipfile: '' }, 'there is a Pipfile, but no Pipfile.lock'],
    ['conda', { 'environment.yml': '' }, 'conda, which is not supported'],
    [
      'a version that there is not',
      { ...pip, 'runtime.txt': 'python-3.99.x' },
      'no python version matches "3.99.x". Available: 3.14.',
    ],
    ['Python 2', { ...pip, '.python-version': '2.7' }, 'no python version matches "2.7.x"'],
    ['a runtime.txt of another language', { ...pip, 'runtime.txt': 'node-20' }, 'runtime.txt says "node-20"'],
    [
      'a runtime.txt with two lines',
      { ...pip, 'runtime.txt': 'python-3.12\npython-3.13' },
      'runtime.txt says',
    ],
    ['PyPy', { ...pip, '.python-version': 'pypy-3.10' }, '.python-version says "pypy-3.10"'],
    [
      'a name of a virtual environment',
      { ...pip, '.python-version': 'myenv' },
      '.python-version says "myenv"',
    ],
    [
      'a requires-python that is none',
      { 'pyproject.toml': '[project]\nrequires-python = "three"\n' },
      'requires-python is "three"',
    ],
    ['broken TOML', { 'pyproject.toml': '[project\n' }, 'pyproject.toml is not valid TOML'],
    ['broken JSON', { 'Pipfile.lock': '{' }, 'Pipfile.lock is not valid JSON'],
    ['a Pipfile.lock that is a list', { 'Pipfile.lock': '[]' }, 'Pipfile.lock has to be an object'],
    [
      'a Pipfile.lock without packages',
      { 'Pipfile.lock': '{"_meta": {}}' },
      'default has to be an object; it is missing',
    ],
    [
      'a number as version',
      { 'Pipfile.lock': PIPFILE({ version: 1 }) },
      'default.a.version has to be a string; it is the number 1',
    ],
    [
      'a package of git',
      { 'Pipfile.lock': PIPFILE({ git: 'https://x/y.git' }) },
      'Pipfile.lock has a from git',
    ],
    ['a package without version', { 'Pipfile.lock': PIPFILE({}) }, 'Pipfile.lock has no version of a'],
    ['a poetry.lock without metadata', { 'poetry.lock': '' }, 'metadata has to be an object; it is missing'],
    [
      'a package of a folder',
      {
        'poetry.lock': `${LOCK}[[package]]\nname = "x"\nversion = "1"\ngroups = ["main"]\n[package.source]\ntype = "directory"\nurl = "../x"\n`,
      },
      'poetry.lock has x from directory',
    ],
    [
      'merge conflicts',
      { 'poetry.lock': `<<<<<<< HEAD\n${LOCK}=======\n>>>>>>> b\n` },
      'poetry.lock has unresolved merge conflicts',
    ],
    ['a folder for a file', { ...pip, 'runtime.txt/x': '' }, 'runtime.txt is a directory'],
  ])('with %s is refused in a sentence', async (_what, files, message) => {
    const failure = await withAppFiles(files, read).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
    expect(String(failure)).not.toContain('Invalid input');
  });
});
