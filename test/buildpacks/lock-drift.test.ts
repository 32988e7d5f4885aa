/** Locks that do not belong to what they lock, told by name before a package manager runs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dir as tempDir } from 'tmp-promise';
import { describe, expect, it } from 'vitest';
import { missingSums } from '../../buildpacks/go/src/sum-drift.ts';
import { tellLockDrift } from '../../buildpacks/kit/lock-drift.ts';
import { createLog } from '../../buildpacks/kit/log.ts';
import { missingInLock } from '../../buildpacks/nodejs/src/lock-drift.ts';
import { missingInPythonLock } from '../../buildpacks/python/src/lock-drift.ts';
import type { Manager } from '../../buildpacks/python/src/manager.ts';
import { missingGemsOfLock, parseLock } from '../../buildpacks/ruby/src/lock.ts';

const json = (dependencies: Record<string, string>, devDependencies: Record<string, string> = {}) => ({
  ...{ dependencies, devDependencies, optionalDependencies: {}, workspaces: [] },
});

describe('package.json and its lock', () => {
  const v3 = JSON.stringify({
    lockfileVersion: 3,
    packages: { 'node_modules/ms': { version: '2.1.3' }, 'node_modules/own': { link: true } },
  });
  const v1 = JSON.stringify({ lockfileVersion: 1, dependencies: { ms: { version: '2.1.3' } } });

  it.each([
    ['has all', v3, json({ ms: '^2.1.0', own: 'file:own' }), []],
    ['lacks one', v3, json({ ms: '^2.1.0', koa: '^3.0.0' }), ['koa@^3.0.0']],
    ['lacks one of the build', v3, json({}, { vite: '7.0.0' }), ['vite@7.0.0']],
    ['has another version', v3, json({ ms: '^3.0.0' }), ['ms@^3.0.0']],
    ['has what a tag means', v3, json({ ms: 'latest' }), []],
    ['of npm 6 has it', v1, json({ ms: '2.x' }), []],
    ['of npm 6 lacks one', v1, json({ koa: '2.x' }), ['koa@2.x']],
  ])('npm: it %s', (_what, lock, wanted, missing) => {
    expect(missingInLock({ name: 'npm' }, wanted, lock)).toEqual(missing);
  });

  it.each([
    [
      'yarn',
      '# yarn lockfile v1\n\nms@^2.0.0, ms@^2.1.0:\n  version "2.1.3"\n\n"@a/b@1.0.0":\n  version "1.0.0"\n',
    ],
    [
      'berry',
      '__metadata:\n  version: 8\n\n"ms@npm:^2.0.0, ms@npm:^2.1.0":\n  version: 2.1.3\n\n"@a/b@npm:1.0.0":\n  version: 1.0.0\n',
    ],
  ] as const)('%s: each range has its entry', (name, lock) => {
    expect(missingInLock({ name }, json({ ms: '^2.1.0', '@a/b': '1.0.0' }), lock)).toEqual([]);
    expect(missingInLock({ name }, json({ ms: '^2.2.0', koa: '3.x' }), lock)).toEqual([
      'ms@^2.2.0',
      'koa@3.x',
    ]);
  });
});

describe('go.mod and go.sum', () => {
  const mod =
    'module example.com/shop\n\ngo 1.26\n\nrequire (\n\ta.org/x v1.0.0\n\tb.org/y/v2 v2.1.0 // indirect\n)\n\nrequire c.org/z v0.1.0\n';
  const sum = 'a.org/x v1.0.0 h1:AA=\na.org/x v1.0.0/go.mod h1:AA=\nb.org/y/v2 v2.1.0/go.mod h1:BB=\n';

  it('name the modules without a sum', () => {
    expect(missingSums(mod, sum)).toEqual(['c.org/z v0.1.0']);
    expect(missingSums(mod, `${sum}c.org/z v0.1.0/go.mod h1:CC=\n`)).toEqual([]);
  });

  it('leave out what is replaced', () => {
    expect(missingSums(`${mod}\nreplace c.org/z => ./z\n`, sum)).toEqual([]);
  });
});

describe('locks of Python', () => {
  it.each([
    [
      'pipenv',
      'Pipfile.lock',
      { Pipfile: '[packages]\nFlask = "*"\nmy_lib = "*"\n', 'Pipfile.lock': '{"default": {"flask": {}}}' },
    ],
    [
      'uv',
      'uv.lock',
      {
        'pyproject.toml': '[project]\ndependencies = ["flask>=3", "my.lib[x]"]\n',
        'uv.lock': '[[package]]\nname = "flask"\n',
      },
    ],
    [
      'poetry',
      'poetry.lock',
      {
        'pyproject.toml': '[tool.poetry.dependencies]\npython = "^3.12"\nflask = "*"\nMy-Lib = "*"\n',
        'poetry.lock': '[[package]]\nname = "Flask"\n',
      },
    ],
  ] as const)('%s: what the lock lacks is named', async (name, file, files) => {
    const { path, cleanup } = await tempDir({ unsafeCleanup: true });
    const manager: Manager = { name, file };
    try {
      for (const [at, text] of Object.entries(files)) await writeFile(join(path, at), text);
      const missing = await missingInPythonLock(path, manager);
      expect(missing.map((one) => one.toLowerCase().replace(/[_.]/g, '-'))).toEqual(['my-lib']);
    } finally {
      await cleanup();
    }
  });
});

describe('Gemfile and its lock', () => {
  const lock = parseLock(
    'GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (3.1.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack\n',
    'Gemfile.lock',
  );
  const missing = (text: string): string[] =>
    missingGemsOfLock({ gemfile: 'Gemfile', lockFile: 'Gemfile.lock', text, lock });

  it('name plain gems that are not locked, and nothing that depends on a condition', () => {
    expect(missing("gem 'rack'\ngem \"puma\", '~> 6'\n")).toEqual(['puma']);
    expect(missing("gem 'rack'\ngem 'wdm', platforms: :mswin\n")).toEqual([]);
    expect(missing("if ENV['X']\n  gem 'puma'\nend\n")).toEqual([]);
  });
});

it('the warning has the names and the command, and is short', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const missing = Array.from({ length: 12 }, (_, n) => `p${n}`);
  tellLockDrift(log, { lock: 'uv.lock', source: 'pyproject.toml', missing, repair: 'uv lock' });
  tellLockDrift(log, { lock: 'uv.lock', source: 'pyproject.toml', missing: [], repair: 'uv lock' });
  expect(lines.join('\n')).toContain('uv.lock does not belong to pyproject.toml: it lacks p0, p1');
  expect(lines.join('\n')).toContain('p9 and 2 more.');
  expect(lines.join('\n')).toContain('Run uv lock and commit the file.');
  expect(lines).toHaveLength(2);
});
