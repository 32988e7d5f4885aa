import { describe, expect, it } from 'vitest';
import { readGoApp } from '../../buildpacks/go/src/app.ts';
import { parseGoFile } from '../../buildpacks/go/src/go-mod.ts';
import { gitCredentials } from '../../buildpacks/go/src/private-modules.ts';
import { chooseGo } from '../../buildpacks/go/src/toolchain.ts';
import { fromGoName, goWish, toGoName } from '../../buildpacks/go/src/version.ts';
import { createLog } from '../../buildpacks/kit/log.ts';
import { loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

type Env = Readonly<Record<string, string>>;

const MAIN = 'package main\n\nfunc main() {}\n';

async function appOf(files: AppFiles, env: Env = {}) {
  return await withAppFiles(files, async (path) => {
    return await readGoApp(path, env);
  });
}

/** Range and source for a go.mod. */
function wish(text: string, env: Env = {}, work?: string) {
  const mod = parseGoFile(Buffer.from(`module example.com/a\n${text}`), 'go.mod');
  return goWish(
    { mod, work: work === undefined ? undefined : parseGoFile(Buffer.from(work), 'go.work') },
    env,
  );
}

async function chosen(text: string, env: Env = {}): Promise<string> {
  const manifest = await loadManifest('buildpacks/go');
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const fit = { stack: 'host', arch: process.arch };
  const closed = { GOPROXY: 'http://127.0.0.1:1', CF_STACK: 'host' };
  const found = await chooseGo(
    {
      manifest: { ...manifest, dependencies: manifest.dependencies.map((it) => ({ ...it, file: 'inside' })) },
      env: { ...closed, ...env },
      log,
      choose: (name, range) => resolve(manifest, name, range ?? '*', fit),
    },
    wish(text, env),
  );
  return `${found.version} ${lines.join(' ')}`;
}

describe('the version of Go', () => {
  it.each([
    ['go 1.24', {}, '1.24.x', 'the go line of go.mod'],
    ['go 1.24.3', {}, '~1.24.3', 'the go line of go.mod'],
    ['go 1.24\ntoolchain go1.24.5', {}, '1.24.5', 'toolchain in go.mod'],
    ['go 1.24\n// +heroku goVersion go1.25', {}, '1.25.x', 'the heroku comment in go.mod'],
    ['go 1.24\ntoolchain go1.24.5', { GOVERSION: 'go1.26' }, '1.26.x', 'GOVERSION'],
    ['go 1.24', { GOVERSION: 'latest' }, 'latest', 'GOVERSION'],
    ['go 1.24', { GOVERSION: '>=1.25 <1.27' }, '>=1.25 <1.27', 'GOVERSION'],
    ['go 1.27rc1', {}, '1.27.0-rc1', 'the go line of go.mod'],
    ['go 1.16', {}, undefined, 'nothing asks for one: the default'],
    ['', {}, undefined, 'nothing asks for one: the default'],
  ])('%s with %o is %s', (text, env, range, source) => {
    expect(wish(text, env)).toMatchObject({ range, source });
  });

  it('comes from go.work where there is one', () => {
    expect(wish('go 1.24', {}, 'go 1.26.1\nuse ./a\n')).toMatchObject({ range: '~1.26.1' });
  });

  it('has names with rc and beta', () => {
    for (const name of ['1.26.3', '1.27rc1', '1.27beta2']) expect(toGoName(fromGoName(name))).toBe(name);
  });

  it('is the newest patch of the line, and says why', async () => {
    expect(await chosen('go 1.26')).toMatch(/^1\.26\.\d+ .*the go line of go\.mod/);
  });

  it('that does not exist is refused with those that do, and so is one below go.mod', async () => {
    await expect(chosen('go 1.99')).rejects.toThrow(/no go version matches "1\.99\.x"\. Available: 1\./);
    await expect(chosen('', { GOVERSION: 'go1.12' })).rejects.toThrow('Available:');
    await expect(chosen('', { GOVERSION: 'newest please' })).rejects.toThrow('is not a version range for go');
    await expect(chosen('go 1.27', { GOVERSION: '1.26' })).rejects.toThrow('go.mod needs 1.27.0 or newer');
  });
});

describe('an app', () => {
  it('may have CRLF line ends, comments and blocks', async () => {
    const mod =
      'module example.com/a // why\r\n\r\ngo 1.26\r\n\r\nrequire (\r\n\texample.com/b v1.0.0\r\n\texample.com/c v1.0.0 // indirect\r\n)\r\n';
    const app = await appOf({ 'go.mod': mod, 'go.sum': '', 'main.go': MAIN });
    expect(app.mod).toMatchObject({ module: 'example.com/a', go: '1.26', requires: 2 });
  });

  it('has packages by GO_INSTALL_PACKAGE_SPEC, else by the heroku comment', async () => {
    const files = {
      'go.mod': 'module a.b/c\n// +heroku install ./cmd/a ./cmd/b\n',
      'cmd/a/m.go': MAIN,
      'cmd/b/m.go': MAIN,
    };
    expect((await appOf(files)).packages).toEqual(['./cmd/a', './cmd/b']);
    expect((await appOf(files, { GO_INSTALL_PACKAGE_SPEC: ' ./cmd/b ' })).packages).toEqual(['./cmd/b']);
  });

  it('has linker symbols of buildpack.yml and of the two variables', async () => {
    const files = {
      'go.mod': 'module a.b/c\n',
      'buildpack.yml': 'go:\n  ldflags:\n    main.a: "1.0"\n    main.b: x y\n',
    };
    const env = { GO_LINKER_SYMBOL: 'main.b', GO_LINKER_VALUE: '2' };
    expect((await appOf(files, env)).symbols).toEqual({ 'main.a': '1.0', 'main.b': '2' });
  });

  const mod = { 'go.mod': 'module a.b/c\n', 'main.go': MAIN };
  it.each<[string, AppFiles, Env, string]>([
    ['godep', { 'Godeps/Godeps.json': '{}' }, {}, 'godep is not supported any more'],
    ['dep', { 'Gopkg.toml': '' }, {}, 'dep is not supported any more'],
    ['glide', { 'glide.yaml': '' }, {}, 'glide is not supported any more'],
    ['govendor', { 'vendor/vendor.json': '{}' }, {}, 'govendor is not supported any more'],
    ['.godir', { '.godir': 'x' }, {}, '.godir files is not supported any more'],
    ['no Go at all', { 'a.txt': '' }, {}, 'no go.mod, and no Go file'],
    ['a go.mod without module', { 'go.mod': 'go 1.26\n' }, {}, 'go.mod has no module line'],
    ['an empty go.mod', { 'go.mod': '' }, {}, 'go.mod has no module line'],
    [
      'a go line that is none',
      { 'go.mod': 'module a.b/c\ngo latest\n' },
      {},
      'the go line of go.mod is "latest"',
    ],
    ['UTF-16', { 'go.mod': Buffer.from('\uFEFFmodule a.b/c\n', 'utf16le') }, {}, 'go.mod is UTF-16'],
    ['a byte order mark', { 'go.mod': '\uFEFFmodule a.b/c\n' }, {}, 'byte order mark'],
    [
      'merge conflicts',
      { 'go.mod': 'module a.b/c\n<<<<<<< HEAD\ngo 1.26\n=======\ngo 1.27\n>>>>>>> x\n' },
      {},
      'unresolved merge conflicts',
    ],
    [
      'a workspace that was not staged whole',
      { 'go.work': 'go 1.26\nuse (\n\t./web\n)\n' },
      {},
      'go.work uses ./web',
    ],
    ['no go.sum', { 'go.mod': 'module a.b/c\nrequire d.e/f v1.0.0\n' }, {}, 'go.sum is missing'],
    ['half a vendor folder', { ...mod, 'vendor/d.e/f/f.go': 'package f' }, {}, 'vendor/ has no modules.txt'],
    [
      'a package that is not there',
      mod,
      { GO_INSTALL_PACKAGE_SPEC: './cmd/web' },
      './cmd/web, which does not exist',
    ],
    ['a package outside', mod, { GO_INSTALL_PACKAGE_SPEC: '../x' }, 'outside the app'],
    ['an option as package', mod, { GO_INSTALL_PACKAGE_SPEC: '-tags x' }, 'is an option'],
    ['half a linker symbol', mod, { GO_LINKER_SYMBOL: 'main.v' }, 'GO_LINKER_VALUE is not'],
    [
      'a linker value with quotes',
      mod,
      { GO_LINKER_SYMBOL: 'main.v', GO_LINKER_VALUE: "a'b" },
      "the linker can't set",
    ],
    [
      'a buildpack.yml that is a list',
      { ...mod, 'buildpack.yml': '- go' },
      {},
      'buildpack.yml has to be an object',
    ],
    [
      'a number in ldflags',
      { ...mod, 'buildpack.yml': 'go: {ldflags: {main.v: 1.2}}' },
      {},
      'go.ldflags.main.v has to be a string; it is the number 1.2',
    ],
    ['broken YAML', { ...mod, 'buildpack.yml': 'go: {' }, {}, "buildpack.yml can't be read"],
    [
      'an import path that is none',
      { 'a/main.go': MAIN },
      { GOPACKAGENAME: '../up' },
      'is not an import path',
    ],
    ['a go.mod that is a folder', { 'go.mod/x': '' }, {}, 'go.mod is a directory'],
  ])('with %s is refused in a sentence', async (_what, files, env, message) => {
    const failure = await appOf(files, env).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
  });
});

it('credentials for private modules reach git without a file', () => {
  expect(gitCredentials({ GO_GIT_CRED__HTTPS__GIT__EXAMPLE__COM: 'bob:a/b' })).toEqual({
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'url.https://bob:a%2Fb@git.example.com/.insteadOf',
    GIT_CONFIG_VALUE_0: 'https://git.example.com/',
  });
  expect(gitCredentials({ GO_GIT_CRED__HTTPS__X: '' })).toEqual({});
});
