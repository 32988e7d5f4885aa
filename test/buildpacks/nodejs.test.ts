/** What the nodejs buildpack decides, without installing anything. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog, loadManifest, resolve } from '../../buildpacks/kit/index.ts';
import { productionPolicy } from '../../buildpacks/nodejs/src/build.ts';
import { installCommand, pruneCommand } from '../../buildpacks/nodejs/src/commands.ts';
import { chooseManager, type ManagerName, mayCompile } from '../../buildpacks/nodejs/src/manager.ts';
import { nodeRange, rangeOf } from '../../buildpacks/nodejs/src/node-version.ts';
import { PackageCache } from '../../buildpacks/nodejs/src/package-cache.ts';
import { readApp } from '../../buildpacks/nodejs/src/package-json.ts';
import { startProcesses } from '../../buildpacks/nodejs/src/start.ts';

let temp: DirectoryResult;
let lines: string[];
const log = createLog((line) => lines.push(line));

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  lines = [];
});
afterEach(() => temp.cleanup());

async function app(json: object, files: Record<string, string> = {}) {
  for (const [name, text] of Object.entries({ ...files, 'package.json': JSON.stringify(json) })) {
    await mkdir(dirname(join(temp.path, name)), { recursive: true });
    await writeFile(join(temp.path, name), text);
  }
  return readApp(temp.path);
}

describe('the Node version', () => {
  it.each([
    ['22', '22'],
    ['v22.1.0', 'v22.1.0'],
    ['lts/*', '24.x'],
    ['lts/jod', '22.x'],
    ['lts/-1', '22.x'],
    ['node', '*'],
    ['>=18 <23', '>=18 <23'],
  ])('"%s" is resolved as %s', (text, range) => {
    expect(rangeOf(text, '.nvmrc')).toBe(range);
  });

  it('is refused with what is known when nobody knows it', () => {
    expect(() => rangeOf('lts/unheard', '.nvmrc')).toThrow('does not know');
    expect(() => rangeOf('iojs?', '.nvmrc')).toThrow('which is not a version of Node');
  });

  it('comes from engines first, then .nvmrc, then .node-version', async () => {
    const files = { '.nvmrc': '# ours\n20 # old\n', '.node-version': '18.20.8\n' };
    expect(await nodeRange(await app({ engines: { node: '24.x' } }, files), log)).toBe('24.x');
    expect(await nodeRange(await app({}, files), log)).toBe('20');
  });

  it('is warned about when it is missing or without upper limit', async () => {
    expect(await nodeRange(await app({}), log)).toBeUndefined();
    expect(lines.join('\n')).toContain('**WARNING** The app does not say which Node it needs');
    await nodeRange(await app({ engines: { node: '>=18' } }), log);
    expect(lines.join('\n')).toContain('allows any later major version');
  });

  it('is found in the manifest that ships, with an npm that runs on it, on both machines', async () => {
    const manifest = await loadManifest('buildpacks/nodejs');
    for (const arch of ['x64', 'arm64']) {
      for (const line of ['18.x', '20.x', '22.x', '24.x', '26.x']) {
        const fit = { stack: 'host', arch };
        const node = resolve(manifest, 'node', line, fit);
        const npm = resolve(manifest, 'npm', '10.x || 11.x', { ...fit, with: { node: node.version } });
        expect(npm.version).toMatch(line === '18.x' ? /^10\./ : /^11\./);
      }
    }
  });
});

describe('the package manager', () => {
  it.each<[string, object, Record<string, string>, object]>([
    ['nothing', {}, {}, { name: 'npm', lock: undefined, version: undefined, line: undefined }],
    ['package-lock.json', {}, { 'package-lock.json': '{}' }, { name: 'npm', lock: 'package-lock.json' }],
    ['yarn.lock of Yarn 1', {}, { 'yarn.lock': '# yarn lockfile v1' }, { name: 'yarn', line: '1.x' }],
    [
      'yarn.lock of Yarn 3',
      {},
      { 'yarn.lock': '__metadata:\n  version: 6\n' },
      { name: 'berry', line: '>=3.2.0 <4' },
    ],
    [
      'yarn.lock of Yarn 2',
      {},
      { 'yarn.lock': '# x\n\n__metadata:\n  version: 4\n  cacheKey: 7\n' },
      { name: 'berry', line: '2.x' },
    ],
    [
      'yarn.lock of Yarn 3.0',
      { engines: { yarn: '>=2' } },
      { 'yarn.lock': '__metadata:\r\n  version: 4\r\n  cacheKey: 8\r\n' },
      { name: 'berry', line: '3.0.x' },
    ],
    [
      'yarn.lock of Yarn 3.1',
      {},
      { 'yarn.lock': '__metadata:\n  version: 5\n  cacheKey: 8\n' },
      { name: 'berry', line: '3.1.x' },
    ],
    [
      'packageManager beside a yarn.lock of a pre-release',
      { packageManager: 'yarn@4.0.0-rc.42' },
      { 'yarn.lock': '__metadata:\n  version: 7\n' },
      { name: 'berry', version: '4.0.0-rc.42' },
    ],
    [
      'yarn.lock of Yarn 4',
      {},
      { 'yarn.lock': '__metadata:\n  version: 8\n' },
      { name: 'berry', line: '>=4.0.0 <4.14.0' },
    ],
    [
      'yarn.lock of Yarn 4.14',
      {},
      { 'yarn.lock': '__metadata:\n  version: 9\n' },
      { name: 'berry', line: '4.14.x' },
    ],
    [
      'yarn.lock of Yarn 4.15 and later',
      {},
      { 'yarn.lock': '__metadata:\n  version: 10\n' },
      { name: 'berry', line: '>=4.15.0' },
    ],
    [
      'a release of Yarn in the app',
      {},
      { 'yarn.lock': '', '.yarnrc.yml': 'yarnPath: .yarn/releases/yarn.cjs\n' },
      { name: 'berry', carried: true },
    ],
    ['an old pnpm lock', {}, { 'pnpm-lock.yaml': "lockfileVersion: '6.0'" }, { name: 'pnpm', line: '8.x' }],
    [
      'packageManager with a checksum',
      { packageManager: `pnpm@10.1.0+sha224.${'ab'.repeat(28)}` },
      {},
      { name: 'pnpm', version: '10.1.0', pin: { algorithm: 'sha224', digest: 'ab'.repeat(28) } },
    ],
    ['an older pnpm lock', {}, { 'pnpm-lock.yaml': 'lockfileVersion: 5.4' }, { name: 'pnpm', line: '7.x' }],
    [
      'engines.yarn that rules Yarn 1 out',
      { engines: { yarn: '>=4' }, packageManager: 'yarn@4.1.0' },
      {},
      { name: 'berry', line: '4.x' },
    ],
    [
      'engines.npm beside another lock',
      { engines: { npm: 'please use yarn' } },
      { 'yarn.lock': '' },
      { name: 'yarn' },
    ],
    ['engines.npm', { engines: { npm: '10.x' } }, {}, { name: 'npm', version: '10.x' }],
  ])('is chosen from %s', async (_what, json, files, expected) => {
    expect(await chooseManager(await app(json, files), log)).toMatchObject(expected);
  });

  it('is refused when packageManager is not an exact version of a known one', async () => {
    for (const packageManager of [
      'pnpm',
      'pnpm@10',
      'bun@1.0.0',
      'npm@10.0.0+sha512.ab',
      'npm@1.0.0; rm -rf',
    ]) {
      await expect(chooseManager(await app({ packageManager }), log)).rejects.toThrow('packageManager');
    }
  });

  it('is refused when engines asks for what no range is, or for a Yarn that can not read the lock file', async () => {
    const sentence = { engines: { npm: 'please use npm' } };
    await expect(chooseManager(await app(sentence), log)).rejects.toThrow(
      'engines.npm in package.json is "please use npm", which is not a version range',
    );
    const files = { 'yarn.lock': '# yarn lockfile v1\n' };
    await expect(chooseManager(await app({ engines: { yarn: '4.x' } }, files), log)).rejects.toThrow(
      'engines.yarn is "4.x", but yarn.lock is of Yarn 1',
    );
    const later = { 'yarn.lock': '__metadata:\n  version: 8\n' };
    await expect(chooseManager(await app({ engines: { yarn: '^1.22' } }, later), log)).rejects.toThrow(
      'engines.yarn is "^1.22", but yarn.lock is of Yarn >=4.0.0 <4.14.0',
    );
    await expect(chooseManager(await app({ engines: { yarn: '>=4.14' } }, later), log)).rejects.toThrow(
      'engines.yarn is ">=4.14", but yarn.lock is of Yarn >=4.0.0 <4.14.0',
    );
    const candidate = { 'yarn.lock': '__metadata:\n  version: 7\n' };
    await expect(chooseManager(await app({}, candidate), log)).rejects.toMatchObject({
      message: 'yarn.lock is of a pre-release of Yarn 4',
      next: expect.stringContaining('packageManager'),
    });
  });

  it('is refused when engines asks for a pnpm that can not read the lock file', async () => {
    for (const [pnpm, form, readers] of [
      ['8', "'9.0'", '>=9'],
      ['10.x', "'6.0'", '8.x || 9.x'],
      ['>=8', '5.4', '<8'],
    ]) {
      const one = await app({ engines: { pnpm } }, { 'pnpm-lock.yaml': `lockfileVersion: ${form}\n` });
      await expect(chooseManager(one, log)).rejects.toThrow(
        `engines.pnpm is "${pnpm}", but pnpm-lock.yaml is of pnpm ${readers}`,
      );
    }
  });

  it('needs headers of Node unless the lock file rules out install scripts', async () => {
    const plain = '{"lockfileVersion": 3}';
    const scripts = '{"lockfileVersion": 3, "x": {"hasInstallScript": true}}';
    for (const [lock, expected] of [
      [plain, false],
      [scripts, true],
      ['{"lockfileVersion": 1}', true],
    ] as const) {
      const one = await app({}, { 'package-lock.json': lock });
      expect(await mayCompile(one, await chooseManager(one, log))).toBe(expected);
    }
  });

  it('is told to install by the lock file, with devDependencies only for a build', async () => {
    const one = await app({}, { 'yarn.lock': '' });
    const plan = { cacheDir: '/cache', offlineMirror: undefined, manager: await chooseManager(one, log) };
    expect(installCommand({ ...plan, dev: false })).toContain('--frozen-lockfile');
    expect(installCommand({ ...plan, dev: true })).toContain('--production=false');
    expect(pruneCommand({ ...plan, dev: true })).toContain('--production=true');
    const npm = { ...plan, manager: { ...plan.manager, name: 'npm', lock: 'package-lock.json' } as const };
    expect(installCommand({ ...npm, dev: false })).toEqual(['npm', 'ci', '--omit=dev']);
  });
});

describe('devDependencies', () => {
  it.each([
    [{ NODE_ENV: 'production' }, 'prune'],
    [{ NODE_ENV: 'development' }, 'keep-dev'],
    [{ NODE_ENV: 'production', NPM_CONFIG_PRODUCTION: 'false' }, 'keep-dev'],
    [{ NODE_ENV: 'development', NPM_CONFIG_PRODUCTION: 'true' }, 'never-dev'],
  ])('with %o: %s', (env, policy) => {
    expect(productionPolicy(env)).toBe(policy);
  });
});

describe('the package cache', () => {
  const cacheOf = (used: ManagerName, limit?: string) => new PackageCache(temp.path, used, { log, limit });
  const ONE = 'npm/_cacache/content-v2/sha512/aa/one';
  const INDEX = 'npm/_cacache/index-v5/aa/entry';
  const names = async () => (await readdir(temp.path)).filter((name) => name !== 'package.json').sort();
  const write = (files: Record<string, string>) => app({}, files);

  it('keeps the manager in use while it is small, and no other', async () => {
    await write({ [ONE]: 'x', 'yarn/index': 'x', 'pnpm.tar': 'x', 'dependencies/node': 'x' });
    await cacheOf('npm').close();
    expect(await names()).toEqual(['dependencies', 'npm.tar']);
    await write({ [ONE]: 'x'.repeat(2 * 1024 * 1024) });
    await cacheOf('npm', '1').close();
    expect(await names()).toEqual(['dependencies']);
    expect(lines.join('\n')).toContain('NODE_CACHE_LIMIT_MB');
  });

  it('stays packed while no manager is started', async () => {
    await write({ [ONE]: '1' });
    await cacheOf('npm').close();
    const packed = await readFile(join(temp.path, 'npm.tar'));
    await cacheOf('npm').close();
    expect(await names()).toEqual(['npm.tar']);
    expect((await readFile(join(temp.path, 'npm.tar'))).equals(packed)).toBe(true);
  });

  it('of npm is the one it was when an install brought nothing new', async () => {
    await write({ [ONE]: '1', [INDEX]: 'monday' });
    await cacheOf('npm').close();
    const packed = await readFile(join(temp.path, 'npm.tar'));
    const again = cacheOf('npm');
    await again.open();
    expect(await readFile(join(temp.path, ONE), 'utf8')).toBe('1');
    await write({ [INDEX]: 'monday, tuesday' });
    await again.close();
    expect((await readFile(join(temp.path, 'npm.tar'))).equals(packed)).toBe(true);
    const more = cacheOf('npm');
    await more.open();
    await write({ [INDEX]: 'monday, wednesday', 'npm/_cacache/content-v2/sha512/aa/two': '2' });
    await more.close();
    expect(await names()).toEqual(['npm.tar']);
    await cacheOf('npm').open();
    expect(await readFile(join(temp.path, INDEX), 'utf8')).toBe('monday, wednesday');
  });

  it.each(['yarn', 'berry', 'pnpm'] as const)('of %s is packed again for any new file', async (used) => {
    await write({ [`${used}/one`]: '1' });
    await cacheOf(used).close();
    const cache = cacheOf(used);
    await cache.open();
    await write({ [`${used}/two`]: '2' });
    await cache.close();
    expect(await names()).toEqual([`${used}.tar`]);
    await cacheOf(used).open();
    expect((await readdir(join(temp.path, used))).sort()).toEqual(['one', 'two']);
  });

  it('that is damaged is told of and given up', async () => {
    await write({ 'npm.tar': 'no tar' });
    const cache = cacheOf('npm');
    await cache.open();
    await cache.close();
    expect(await names()).toEqual([]);
    expect(lines.join('\n')).toContain('packages are downloaded again');
  });

  it('may be absent', async () => {
    await write({});
    const cache = cacheOf('npm');
    await cache.open();
    await cache.close();
    expect(await names()).toEqual([]);
  });
});

describe('the start command', () => {
  it('is npm start, else node server.js, else nothing', async () => {
    const server = await app({}, { 'server.js': '' });
    expect(startProcesses(server)).toEqual([{ type: 'web', command: 'node server.js' }]);
    const script = await app({ scripts: { start: 'x' } });
    expect(startProcesses(script)).toEqual([{ type: 'web', command: 'npm start' }]);
  });

  it('is not guessed', async () => {
    expect(startProcesses(await app({ main: 'index.js' }))).toEqual([]);
  });
});
