/** When the packages that were installed once are taken again, and when not. */
import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog, DepDir, Dependencies } from '../../buildpacks/kit/index.ts';
import { KeptModules } from '../../buildpacks/nodejs/src/kept-modules.ts';
import { chooseManager } from '../../buildpacks/nodejs/src/manager.ts';
import { readApp } from '../../buildpacks/nodejs/src/package-json.ts';

let temp: DirectoryResult;
let lines: string[];
const log = createLog((line) => lines.push(line));
const at = (...names: string[]): string => join(temp.path, ...names);

beforeEach(async () => {
  temp = await tempDir({ unsafeCleanup: true });
  lines = [];
  for (const name of ['app', 'cache', 'deps/0', 'home']) await mkdir(at(name), { recursive: true });
  await put('app/package.json', { scripts: { start: 'node server.js' }, dependencies: { a: '1.0.0' } });
  await put('app/package-lock.json', { lockfileVersion: 3 });
  await put('app/server.js', 'one');
});
afterEach(() => temp.cleanup());

async function put(path: string, content: string | object): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), typeof content === 'string' ? content : JSON.stringify(content));
}

interface Way {
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: string;
  /** What the package's installation does besides. */
  readonly also?: () => Promise<void>;
  readonly package?: object;
}

/** As the buildpack does it; whether the packages were reused. */
async function install(way: Way = {}): Promise<boolean> {
  await rm(at('app/node_modules'), { recursive: true, force: true });
  const env = { HOME: at('home'), ...way.env };
  const dependencies = new Dependencies({ buildpackDir: at('buildpack'), cacheDir: at('cache'), env, log });
  const checksum = { algorithm: 'sha256', digest: 'ab' } as const;
  dependencies.use({ name: 'node', version: way.node ?? '24.1.0', uri: 'npm:node', checksum });
  const context = {
    ...{ cacheDir: at('cache'), depsDir: at('deps'), dep: new DepDir(at('deps'), '0') },
    ...{ version: '1', env, log, dependencies },
  };
  const app = await readApp(at('app'));
  const manager = await chooseManager(app, log);
  const plan = { manager, dev: false, cacheDir: at('cache'), offlineMirror: undefined };
  const kept = await KeptModules.of(context, app, plan);
  if ((await kept?.restore()) === true) return true;
  kept?.begin();
  await put('app/node_modules/a/package.json', way.package ?? { name: 'a' });
  await put('app/node_modules/a/run.sh', 'x');
  await chmod(at('app/node_modules/a/run.sh'), 0o755);
  await mkdir(at('app/node_modules/.bin'));
  await symlink('../a/run.sh', at('app/node_modules/.bin/a'));
  await way.also?.();
  await kept?.keep();
  return false;
}

const SCRIPTS = { package: { name: 'a', scripts: { postinstall: 'node .' } } };

describe('packages that are installed', () => {
  it('are reused when only code and scripts that no installation runs changed', async () => {
    expect(await install()).toBe(false);
    await put('app/server.js', 'two');
    await put('app/package.json', { scripts: { start: 'other' }, dependencies: { a: '1.0.0' } });
    expect(await install()).toBe(true);
    expect(await readFile(at('app/node_modules/.bin/a'), 'utf8')).toBe('x');
    expect(lines.join('\n')).toMatch(
      /Reusing the packages .*\(key [0-9a-f]{12}\)\n +Unchanged: lock file, node/,
    );
  });

  it.each<[string, () => Promise<void>, Way?]>([
    ['the lock file', () => put('app/package-lock.json', { lockfileVersion: 2 })],
    ['.npmrc', () => put('app/.npmrc', 'legacy-peer-deps=true')],
    ['.npmrc of the user', () => put('home/.npmrc', 'legacy-peer-deps=true')],
    ['Node', async () => undefined, { node: '24.2.0' }],
    ['a variable of npm', async () => undefined, { env: { npm_config_omit: 'optional' } }],
    ['a variable of the compiler', async () => undefined, { env: { CXXFLAGS: '-O3' } }],
    ['what is asked for', () => put('app/package.json', { dependencies: { a: '1.0.1' } })],
    ['another buildpack', () => put('deps/1/config.yml', 'name: python')],
  ])('are installed again when %s changed', async (_what, change, way) => {
    await install();
    await change();
    expect(await install(way)).toBe(false);
    expect(await install(way)).toBe(true);
  });

  it('are reused by an unchanged app only where a package has a script that could read it', async () => {
    await install(SCRIPTS);
    expect(await install(SCRIPTS)).toBe(true);
    await put('app/server.js', 'two');
    expect(await install(SCRIPTS)).toBe(false);
    expect(await install({ ...SCRIPTS, env: { SECRET: 'x' } })).toBe(false);
  });

  it('are reused with what else a script of the app made, and by an unchanged app only', async () => {
    const made = { also: () => put('app/generated/x', 'made') };
    await put('app/package.json', { scripts: { postinstall: 'make' } });
    await install(made);
    await rm(at('app/generated'), { recursive: true });
    expect(await install(made)).toBe(true);
    expect(await readFile(at('app/generated/x'), 'utf8')).toBe('made');
    await put('app/server.js', 'two');
    expect(await install(made)).toBe(false);
  });

  it.each<[string, () => Promise<void>]>([
    ['a file of the app', () => put('app/server.js', 'patched')],
    ['HOME', () => put('home/.cache/Cypress/run', 'x')],
  ])('are not kept when their scripts wrote to %s', async (_what, also) => {
    await install({ ...SCRIPTS, also });
    expect(lines.join('\n')).toContain('The packages are not kept for the next staging');
    expect(await install({ ...SCRIPTS, also })).toBe(false);
  });

  it('are installed again when what was kept is damaged, with a warning', async () => {
    await install();
    const tar = at('cache/kept/node_modules/added.tar');
    const bytes = await readFile(tar);
    bytes.writeUInt8(bytes.readUInt8(600) ^ 1, 600);
    await writeFile(tar, bytes);
    expect(await install()).toBe(false);
    expect(lines.join('\n')).toContain('**WARNING** The kept packages are damaged');
    expect(await install()).toBe(true);
    await rm(tar);
    expect(await install()).toBe(false);
  });

  it('are not laid over what the app has now', async () => {
    await put('app/package.json', { dependencies: { a: '1.0.0' } });
    const also = { also: () => put('app/.pnp.cjs', 'made') };
    await install(also);
    await put('app/.pnp.cjs', 'of the app');
    expect(await install()).toBe(false);
    expect(await readFile(at('app/.pnp.cjs'), 'utf8')).toBe('of the app');
  });

  it('are neither reused nor kept with NODE_MODULES_CACHE=false, or without a lock file', async () => {
    await install();
    expect(await install({ env: { NODE_MODULES_CACHE: 'false' } })).toBe(false);
    expect(await install()).toBe(false);
    expect(await install()).toBe(true);
    await rm(at('app/package-lock.json'));
    expect(await install()).toBe(false);
    expect(await install()).toBe(false);
  });
});
