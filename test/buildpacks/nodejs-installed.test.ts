/** Which dependencies count as there: what Node would find from the app, and nothing else. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  carriesPackages,
  hollowPackages,
  lookThrough,
  missingDependencies,
} from '../../buildpacks/nodejs/src/installed.ts';
import { readApp } from '../../buildpacks/nodejs/src/package-json.ts';
import { workspacesOf } from '../../buildpacks/nodejs/src/workspaces.ts';

let temp: DirectoryResult;

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

/** Writes packages by directory, `.` being the app, and reads the app. */
async function tree(packages: Record<string, object>, files: Record<string, string> = {}) {
  for (const [dir, json] of Object.entries(packages)) await file(`${dir}/package.json`, JSON.stringify(json));
  for (const [name, text] of Object.entries(files)) await file(name, text);
  return readApp(join(temp.path, 'app'));
}

async function file(name: string, text: string): Promise<void> {
  const path = join(temp.path, 'app', name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function link(name: string, target: string): Promise<void> {
  const path = join(temp.path, 'app', name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

const needs = (...names: readonly string[]) => ({
  dependencies: Object.fromEntries(names.map((name) => [name, '*'])),
});
const namesOf = (found: readonly { readonly name: string; readonly asker: string }[]) =>
  found.map(({ name, asker }) => `${asker} > ${name}`);

describe('node_modules', () => {
  it.each<[string[], boolean]>([
    [[], false],
    [['.gitkeep'], false],
    [['.cache/x/package.json', '.bin/x'], false],
    [['.package-lock.json', '.yarn-integrity', '.modules.yaml'], false],
    [['ms/index.js', '@scope/x/README'], false],
    [['ms/package.json'], true],
    [['@scope/x/package.json'], true],
    [['.pnpm/ms@2.0.0/node_modules/ms/package.json'], true],
  ])('with %o carries packages: %s', async (names, expected) => {
    await mkdir(join(temp.path, 'app/node_modules'), { recursive: true });
    for (const name of names) await file(`node_modules/${name}`, '{}');
    expect(await carriesPackages(join(temp.path, 'app'))).toBe(expected);
  });

  it('is looked through from each package upwards', async () => {
    const app = await tree({
      '.': needs('a', 'b', '@s/c', 'gone'),
      'node_modules/a': needs('b', 'inner', 'lost'),
      'node_modules/a/node_modules/inner': needs('a'),
      'node_modules/b': {},
      'node_modules/@s/c': {},
    });
    expect(namesOf(await missingDependencies(app))).toEqual(['package.json > gone', 'a > lost']);
  });

  it('may lack what is optional or only for development, and what that needs', async () => {
    const app = await tree({
      '.': { ...needs('a'), devDependencies: { x: '*' }, optionalDependencies: { y: '*' } },
      'node_modules/a': {
        dependencies: { z: '*' },
        optionalDependencies: { z: '*' },
        peerDependencies: { p: '*' },
      },
    });
    expect(await missingDependencies(app)).toEqual([]);
  });

  it('may lack what a hook of pnpm takes from packages, not what the app itself asks for', async () => {
    const packages = { '.': needs('a', 'gone'), 'node_modules/a': needs('taken-away') };
    const app = await tree(packages, { '.pnpmfile.cjs': 'module.exports = { hooks: {} }' });
    expect(namesOf(await missingDependencies(app))).toEqual(['package.json > gone']);
  });

  it('of pnpm is followed through its links', async () => {
    const app = await tree({
      '.': { ...needs('a'), pnpm: { overrides: { 'a>dropped': '-' } } },
      'node_modules/.pnpm/a@1/node_modules/a': needs('b', 'dropped', 'lost'),
      'node_modules/.pnpm/b@1/node_modules/b': {},
    });
    await link('node_modules/a', '.pnpm/a@1/node_modules/a');
    await link('node_modules/.pnpm/a@1/node_modules/b', '../../b@1/node_modules/b');
    expect(namesOf(await missingDependencies(app))).toEqual(['a > lost']);
  });

  it('counts a link to a directory of the app, and none that leads out of it', async () => {
    const app = await tree({
      '.': { dependencies: { inside: 'file:libs/inside', outside: 'link:../outside', nowhere: 'file:x' } },
      'libs/inside': needs('deep'),
      '../outside': {},
    });
    await link('node_modules/inside', '../libs/inside');
    await link('node_modules/outside', '../../outside');
    await link('node_modules/nowhere', '../x');
    expect(await missingDependencies(app)).toEqual([
      { name: 'outside', spec: 'link:../outside', asker: 'package.json', why: 'it is a link out of the app' },
      { name: 'nowhere', spec: 'file:x', asker: 'package.json' },
      { name: 'deep', spec: '*', asker: 'inside' },
    ]);
  });

  it('counts other versions where somebody asks, unless the app replaces versions', async () => {
    const packages = {
      '.': { dependencies: { a: '^2.0.0', b: 'npm:real-b@^2.0.0', c: 'github:x/c', d: '2' } },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/c': { version: '1.0.0' },
      'node_modules/d': { version: '2.3.4' },
    };
    const app = await tree(packages);
    expect(namesOf(await missingDependencies(app))).toEqual([]);
    const found = await missingDependencies(app, { versions: true });
    expect(found.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'a: version 1.0.0 is there',
      'b: version 1.0.0 is there',
    ]);
    const replacing = await tree({ '.': { ...packages['.'], overrides: { a: '1.0.0' } } });
    expect(await missingDependencies(replacing, { versions: true })).toEqual([]);
  });
});

describe('workspaces', () => {
  it('are asked for what they need as well', async () => {
    const app = await tree({
      '.': { workspaces: ['packages/*', './tools', '!packages/old'] },
      'packages/one': needs('a', 'own', 'lost'),
      'packages/one/node_modules/own': {},
      'packages/old': needs('never'),
      'packages/one/node_modules/x/y': {},
      tools: needs('a'),
      'node_modules/a': {},
    });
    expect(await workspacesOf(app)).toEqual(['packages/one', 'tools']);
    expect(namesOf(await missingDependencies(app))).toEqual(['packages/one/package.json > lost']);
  });

  it('are those of pnpm-workspace.yaml too', async () => {
    const app = await tree(
      { '.': {}, 'libs/a/b': needs('lost') },
      { 'pnpm-workspace.yaml': "packages: ['libs/**']\n" },
    );
    expect(namesOf(await missingDependencies(app))).toEqual(['libs/a/b/package.json > lost']);
  });
});

describe('a package without its main file', () => {
  it('is told from one that was published so, and from directories of the app', async () => {
    const app = await tree(
      {
        '.': needs('hollow', 'whole', 'types', 'index', 'mine', 'esm', 'bare'),
        'node_modules/hollow': { main: 'dist/index.js' },
        'node_modules/whole': { main: 'lib/main' },
        'node_modules/types': { main: 'index.js', types: 'index.d.ts' },
        'node_modules/index': { main: 'missing.js' },
        'node_modules/esm': {
          main: 'dist/x.cjs',
          exports: { '.': { import: './a.js', require: './b.cjs' } },
        },
        'node_modules/bare': { exports: { '.': './dist/x.js', './package.json': './none.json' } },
        'libs/mine': { main: 'dist/built.js' },
      },
      {
        'node_modules/whole/lib/main.js': '',
        'node_modules/types/index.d.ts': '',
        'node_modules/index/index.js': '',
        'node_modules/esm/b.cjs': '',
      },
    );
    await link('node_modules/mine', '../libs/mine');
    const names = (await hollowPackages(app)).map(({ dir }) => basename(dir));
    expect(names.sort()).toEqual(['bare', 'hollow']);
  });

  it('whose package.json is not JSON is missing, and is to be installed anew', async () => {
    const app = await tree(
      { '.': needs('cut', 'bom') },
      {
        'node_modules/cut/package.json': '{"name": "cu',
        'node_modules/cut/index.js': '',
        'node_modules/bom/package.json': '\uFEFF{"name": "bom"}',
        'node_modules/bom/index.js': '',
      },
    );
    expect(await missingDependencies(app)).toMatchObject([
      { name: 'cut', why: 'its package.json is not JSON' },
    ]);
    expect((await hollowPackages(app)).map(({ dir, what }) => [basename(dir), what])).toEqual([
      ['cut', 'package.json'],
    ]);
  });
});

it('peers that are not there are told, unless they are optional', async () => {
  const app = await tree({
    '.': needs('a', '@s/b', 'there'),
    'node_modules/a': {
      peerDependencies: { there: '1', gone: '2', maybe: '*' },
      peerDependenciesMeta: { maybe: { optional: true } },
    },
    'node_modules/@s/b': { peerDependencies: { beside: '*' } },
    'node_modules/beside': {},
    'node_modules/there': { peerDependencies: 'nonsense', peerDependenciesMeta: [] },
  });
  const { missing, unmetPeers } = await lookThrough(app);
  expect(await unmetPeers()).toEqual([{ name: 'gone', spec: '2', asker: 'a' }]);
  expect(missing).toEqual([]);
});
