/** When npm is not told to ask the registry what it has of packages that are in its cache. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/index.ts';
import { chooseManager } from '../../buildpacks/nodejs/src/manager.ts';
import { readApp } from '../../buildpacks/nodejs/src/package-json.ts';
import { runsScripts, SeenPackages } from '../../buildpacks/nodejs/src/seen-packages.ts';

let temp: DirectoryResult;
beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
});
afterEach(() => temp.cleanup());

const log = createLog(() => undefined);

async function appOf(json: object, lock: object, more: Readonly<Record<string, string>> = {}) {
  const files = {
    'package.json': JSON.stringify(json),
    'package-lock.json': JSON.stringify(lock, null, 2),
    ...more,
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(temp.path, name)), { recursive: true });
    await writeFile(join(temp.path, name), text);
  }
  const app = await readApp(temp.path);
  return { app, manager: await chooseManager(app, log) };
}

/** A lock file of `name@version`s with their digests. */
function lockOf(...packages: readonly string[]): object {
  const entries = packages.map((one) => {
    const [, name, version] = /^(.+)@(.+)$/.exec(one) ?? [];
    return [`node_modules/${name}`, { version, integrity: `sha512-${one}` }];
  });
  return { lockfileVersion: 3, packages: { '': { version: '1.0.0' }, ...Object.fromEntries(entries) } };
}

async function seenOf(lock: object): Promise<SeenPackages> {
  const { manager } = await appOf({}, lock);
  return new SeenPackages({ manager, cacheDir: temp.path }, JSON.stringify(lock));
}

describe('packages that npm ci has brought into the cache', () => {
  it('are enough for the same versions and for packages that are new by name', async () => {
    const first = await seenOf(lockOf('a@1.0.0', '@s/b@2.0.0'));
    expect(await first.areEnough()).toBe(false);
    await first.add();
    expect(await (await seenOf(lockOf('a@1.0.0', '@s/b@2.0.0'))).areEnough()).toBe(true);
    expect(await (await seenOf(lockOf('a@1.0.0', 'constructor@1.0.0'))).areEnough()).toBe(true);
  });

  it('are not for another version, but for all that were there once', async () => {
    await (await seenOf(lockOf('a@1.0.0'))).add();
    const other = await seenOf(lockOf('a@1.0.1'));
    expect(await other.areEnough()).toBe(false);
    await other.add();
    for (const version of ['1.0.0', '1.0.1']) {
      expect(await (await seenOf(lockOf(`a@${version}`))).areEnough()).toBe(true);
    }
  });

  it.each<[string, object]>([
    ['a package has no digest', { 'node_modules/a': { version: '1.0.0' } }],
    ['a part of the app is linked', { 'node_modules/a': { link: true, resolved: 'a' } }],
    ['a part of the app is installed', { 'packages/a': { version: '1.0.0' } }],
  ])('are not, and nothing is remembered, when %s', async (_what, packages) => {
    await (await seenOf(lockOf('b@1.0.0'))).add();
    const seen = await seenOf({ lockfileVersion: 3, packages: { '': {}, ...packages } });
    expect(await seen.areEnough()).toBe(false);
    await seen.add();
    expect(await readdir(temp.path)).not.toContain('npm-seen.json');
  });

  it('are not when the record can not be read', async () => {
    await writeFile(join(temp.path, 'npm-seen.json'), 'x');
    expect(await (await seenOf(lockOf('a@1.0.0'))).areEnough()).toBe(false);
  });
});

it.each<[string, boolean, object, object, Record<string, string>]>([
  ['starts only', false, { scripts: { start: 'node .' } }, lockOf('a@1.0.0'), {}],
  ['has a build script', true, { scripts: { build: 'npx b' } }, lockOf('a@1.0.0'), {}],
  ['has a script of its installation', true, { scripts: { postinstall: 'x' } }, lockOf('a@1.0.0'), {}],
  ['has workspaces', true, { workspaces: ['packages/*'] }, lockOf('a@1.0.0'), {}],
  ['carries node_modules', true, {}, lockOf('a@1.0.0'), { 'node_modules/a/package.json': '{}' }],
  [
    'installs a package with a script',
    true,
    {},
    { ...lockOf(), packages: { 'node_modules/a': { hasInstallScript: true } } },
    {},
  ],
])('an app that %s: scripts may start npm: %s', async (_what, expected, json, lock, files) => {
  const { app, manager } = await appOf(json, lock, files);
  expect(await runsScripts(app, manager)).toBe(expected);
});
