import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../buildpacks/kit/log.ts';
import { groupOf, loadManifest, resolve } from '../../buildpacks/kit/manifest.ts';
import { readRustApp } from '../../buildpacks/rust/src/app.ts';
import { dropSources, linkOldPlace } from '../../buildpacks/rust/src/build.ts';
import { cargoEnv, forgetOwnPackages, pruneTarget } from '../../buildpacks/rust/src/cargo.ts';
import { rustPackages, rustVersion } from '../../buildpacks/rust/src/debian-rust.ts';
import { demandLockFits, lackingTools, parseLock } from '../../buildpacks/rust/src/lock.ts';
import { pruneCargo } from '../../buildpacks/rust/src/prune.ts';
import { chooseRust } from '../../buildpacks/rust/src/toolchain.ts';
import { rustWish } from '../../buildpacks/rust/src/version.ts';
import { type AppFiles, withAppFiles } from '../support/app-files.ts';

type Env = Readonly<Record<string, string>>;

const TOML = '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2024"\n';
const LOCK = 'version = 4\n\n[[package]]\nname = "a"\nversion = "0.1.0"\n';
const OTHER =
  '\n[[package]]\nname = "serde"\nversion = "1.0.1"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n';
const APP = { 'Cargo.toml': TOML, 'Cargo.lock': LOCK, 'src/main.rs': 'fn main() {}\n' };

/** Read, held against its lock, and given a compiler from the manifest. */
async function chosen(files: AppFiles, env: Env = {}) {
  const manifest = await loadManifest('buildpacks/rust');
  const lines: string[] = [];
  const fit = { stack: 'host', arch: process.arch, with: { glibc: '2.36.0' } };
  return await withAppFiles(files, async (path) => {
    const app = await readRustApp(path, env);
    demandLockFits(app);
    const toolchain = chooseRust(
      {
        log: createLog((line) => lines.push(line)),
        choose: (name, range) => resolve(manifest, name, range ?? '*', fit),
        chooseGroup: (name, more) => groupOf(manifest, name, { ...fit, with: { ...fit.with, ...more } }),
      },
      await rustWish(app, env),
    );
    return { app, toolchain, output: lines.join('\n') };
  });
}

describe('the version of Rust', () => {
  it('is the one that there is, with the packages of that version', async () => {
    const { toolchain, output } = await chosen(APP);
    expect(output).toMatch(/Rust 1\.\d+\.\d+ \(nothing asks for one/);
    expect(toolchain.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['rust', 'cargo-web', 'libstd-rust-web-dev']),
    );
    expect(toolchain.length).toBe(5);
  });

  it.each<[string, AppFiles, string]>([
    [
      'rust-toolchain.toml',
      { 'rust-toolchain.toml': '[toolchain]\nchannel = "1.80.0"\n' },
      'asks for Rust 1.80.0; this is',
    ],
    ['rust-toolchain', { 'rust-toolchain': '1.80\r\n' }, 'rust-toolchain asks for Rust 1.80; this is'],
    [
      'both forms',
      { 'rust-toolchain': '[toolchain]\nchannel = "1.80"\n' },
      'rust-toolchain asks for Rust 1.80',
    ],
    ['RustConfig', { RustConfig: 'VERSION="1.80.0"\n' }, 'RustConfig asks for Rust 1.80.0'],
    [
      'other targets',
      { 'rust-toolchain.toml': '[toolchain]\nchannel = "stable"\ntargets = ["wasm32-unknown-unknown"]\n' },
      'Ignored: targets wasm32-unknown-unknown',
    ],
  ])('warns about %s', async (_what, files, says) => {
    expect((await chosen({ ...APP, ...files })).output).toContain(says);
  });

  it('is fine with stable, and with a date and machine behind it', async () => {
    const { output } = await chosen({ ...APP, 'rust-toolchain': 'stable-x86_64-unknown-linux-gnu' });
    expect(output).not.toContain('WARNING');
  });
});

describe('an app', () => {
  it('may be a workspace with inherited versions, renamed crates and a byte order mark', async () => {
    const { app } = await chosen({
      'Cargo.toml':
        '\uFEFF[workspace]\r\nmembers = ["crates/*"]\r\n[workspace.package]\r\nversion = "0.1.0"\r\n[workspace.dependencies]\r\nser = { package = "serde", version = "1" }\r\n',
      'crates/a/Cargo.toml':
        '[package]\nname = "a"\nversion.workspace = true\n[target."cfg(unix)".dependencies]\nser.workspace = true\n',
      'Cargo.lock': LOCK + OTHER,
    });
    expect(app.packages).toMatchObject([
      { name: undefined },
      { name: 'a', version: '0.1.0', wants: ['serde'] },
    ]);
  });

  it('has its options from variables, and crates from a folder that Cargo is told of', async () => {
    const config = '[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "vendor"\n';
    const files = { ...APP, '.cargo/config.toml': config, 'vendor/serde/Cargo.toml': '' };
    const env = {
      RUST_BINARIES: 'web, worker',
      RUST_CARGO_BUILD_FLAGS: '--features a,b',
      BP_CARGO_WORKSPACE_MEMBERS: 'a',
    };
    expect((await chosen(files, env)).app).toMatchObject({
      vendored: true,
      options: { binaries: ['web', 'worker'], flags: ['--features', 'a,b'], members: ['a'] },
    });
  });

  const wish = (text: string) => ({ ...APP, 'rust-toolchain.toml': `[toolchain]\n${text}\n` });
  it.each<[string, AppFiles, Env, string]>([
    ['no Cargo.toml', { 'a.txt': '' }, {}, 'there is no Cargo.toml'],
    ['no Cargo.lock', { 'Cargo.toml': TOML }, {}, 'Cargo.lock is missing'],
    ['an empty Cargo.toml', { ...APP, 'Cargo.toml': '' }, {}, 'neither a [package] nor a [workspace]'],
    ['broken TOML', { ...APP, 'Cargo.toml': '[package\nname = "a"' }, {}, 'Cargo.toml is not valid TOML'],
    [
      'a name that is a number',
      { ...APP, 'Cargo.toml': '[package]\nname = 1\n' },
      {},
      'package.name has to be a string',
    ],
    [
      'merge conflicts',
      { ...APP, 'Cargo.lock': `<<<<<<< HEAD\n${LOCK}` },
      {},
      'Cargo.lock has unresolved merge conflicts',
    ],
    ['a broken lock', { ...APP, 'Cargo.lock': '[[package]]\nname = ' }, {}, "Cargo.lock can't be read"],
    ['a lock of something else', { ...APP, 'Cargo.lock': 'package = "x"' }, {}, "Cargo.lock can't be read"],
    [
      'a crate that the lock lacks',
      { ...APP, 'Cargo.toml': `${TOML}[dependencies]\nserde = "1"\n` },
      {},
      'Cargo.toml asks for serde',
    ],
    [
      'another version in the lock',
      { ...APP, 'Cargo.toml': TOML.replace('0.1.0', '0.2.0') },
      {},
      'in the lock it is 0.1.0',
    ],
    [
      'another package in the lock',
      { ...APP, 'Cargo.toml': TOML.replace('"a"', '"b"') },
      {},
      'Cargo.toml is the package b',
    ],
    [
      'a member that was not staged',
      { ...APP, 'Cargo.toml': '[workspace]\nmembers = ["web"]\n' },
      {},
      'has the member web',
    ],
    [
      'an empty vendor folder',
      {
        ...APP,
        '.cargo/config.toml': '[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "vendor"\n',
      },
      {},
      'takes crates from vendor/, which is empty',
    ],
    ['nightly', wish('channel = "nightly-2026-01-01"'), {}, 'only stable versions can be had'],
    ['a channel that is none', wish('channel = "newest"'), {}, 'asks for "newest"'],
    ['a toolchain in a folder', wish('path = "/opt/rust"'), {}, 'names the toolchain of a folder'],
    ['no channel at all', { ...APP, 'rust-toolchain.toml': 'channel = "stable"' }, {}, 'has no [toolchain]'],
    ['a version to come', wish('channel = "1.999"'), {}, 'asks for Rust 1.999. Available: 1.'],
    [
      'a rust-version to come',
      { ...APP, 'Cargo.toml': `${TOML}rust-version = "1.999"\n` },
      {},
      'rust-version in Cargo.toml is 1.999. Available: 1.',
    ],
    [
      'RUST_VERSION of an old one',
      APP,
      { RUST_VERSION: '1.63' },
      'no rust version matches "1.63.x". Available: 1.',
    ],
    ['RUST_VERSION in words', APP, { RUST_VERSION: 'the best' }, 'is not a version range for rust'],
    ['a folder outside', APP, { BUILD_PATH: '../x' }, 'outside the app'],
    ['a folder that is not there', APP, { BUILD_PATH: 'web' }, 'does not exist in the app'],
    [
      'a flag that is ours',
      APP,
      { RUST_CARGO_BUILD_FLAGS: '--target-dir=/x' },
      'which the buildpack decides',
    ],
    ['an option as program', APP, { RUST_BINARIES: '--all' }, 'is not the name of a program'],
    ['a member that is none', APP, { BP_CARGO_WORKSPACE_MEMBERS: 'b' }, 'is no package of the app'],
    [
      'a Cargo.lock that is a folder',
      { 'Cargo.toml': TOML, 'Cargo.lock/x': '' },
      {},
      'Cargo.lock is a directory',
    ],
  ])('with %s is refused in a sentence', async (_what, files, env, message) => {
    const failure = await chosen(files, env).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'BuildpackFailure', message: expect.stringContaining(message) });
  });

  it('is told which tools its crates may need', async () => {
    const lock = parseLock(LOCK + OTHER.replace('serde', 'openssl-sys'));
    expect(await lackingTools(lock, async () => false)).toEqual([
      expect.stringContaining('openssl-sys may need pkg-config, which this stack lacks'),
    ]);
    expect(await lackingTools(lock, async () => true)).toEqual([]);
  });

  it('is refused where nothing can link it', async () => {
    await withAppFiles({}, async (cacheDir) => {
      const env = { PATH: cacheDir, CF_STACK: 'tiny' };
      const failure = await cargoEnv({ env, cacheDir }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: expect.stringContaining('stack tiny has no C compiler') });
    });
  });

  it('gets crates from the mirror, and the company CA', async () => {
    await withAppFiles({}, async (cacheDir) => {
      const env = {
        RUSTFLAGS: '-C linker=ld',
        SSL_CERT_FILE: '/ca.pem',
        STAGER_CARGO_REGISTRY: 'https://mirror.example/index/',
      };
      expect(await cargoEnv({ env, cacheDir })).toMatchObject({ CARGO_HTTP_CAINFO: '/ca.pem' });
      expect(await readFile(join(cacheDir, 'cargo-home/config.toml'), 'utf8')).toContain(
        'registry = "sparse+https://mirror.example/index/"',
      );
    });
  });
});

describe('the droplet and the cache', () => {
  it('have no sources, but what the program reads, and the place that a Procfile for Heroku names', async () => {
    const files = {
      ...APP,
      'src/web/mod.rs': '',
      'static/a.css': '',
      Procfile: 'web: target/release/a\n',
      'bin/a': '',
    };
    await withAppFiles(files, async (path) => {
      await dropSources(path, await readRustApp(path, {}));
      await linkOldPlace(path, ['a', 'b']);
      expect((await readdir(path, { recursive: true })).sort()).toEqual([
        ...[
          'Procfile',
          'bin',
          'bin/a',
          'static',
          'static/a.css',
          'target',
          'target/release',
          'target/release/a',
        ],
      ]);
    });
  });

  it('keep what the last build used, and nothing of the app itself', async () => {
    const [used, unused, own] = ['1'.repeat(16), '2'.repeat(16), '3'.repeat(16)];
    const names = [
      ...[`.fingerprint/x-${used}/f`, `.fingerprint/x-${unused}/f`, `.fingerprint/a-${own}/f`],
      ...[`deps/libx-${used}.rlib`, `deps/libx-${unused}.rlib`, `build/x-${unused}/out`],
    ];
    const files = Object.fromEntries(names.map((name) => [`release/${name}`, '']));
    await withAppFiles(files, async (path) => {
      const id = 'path+file:///app#a@0.1.0';
      await forgetOwnPackages(path, {
        packages: [{ id, name: 'a', source: null, targets: [] }],
        workspace_members: [id],
      });
      await pruneTarget(path, new Set([used, own]));
      const left = (await readdir(path, { recursive: true, withFileTypes: true })).filter((it) =>
        it.isFile(),
      );
      expect(
        left.map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1)).sort(),
      ).toEqual([`release/.fingerprint/x-${used}/f`, `release/deps/libx-${used}.rlib`]);
    });
  });

  it('drop crates that the lock no longer has, and sources that Cargo can unpack again', async () => {
    const home = 'cargo-home/registry';
    const files = {
      [`${home}/cache/i/serde-1.0.1.crate`]: '',
      [`${home}/cache/i/old-1.0.0.crate`]: '',
      [`${home}/src/i/x`]: '',
    };
    await withAppFiles(files, async (path) => {
      await pruneCargo(path, parseLock(LOCK + OTHER));
      expect(await readdir(join(path, home))).toEqual(['cache']);
      expect(await readdir(join(path, home, 'cache/i'))).toEqual(['serde-1.0.1.crate']);
    });
  });
});

it('the packages of one Rust follow from those that it depends on', () => {
  const entry = (name: string, depends: string) => {
    const checksum = { algorithm: 'sha256', digest: '' } as const;
    return [name, { name, version: '1.98.0+dfsg1-1', uri: '', checksum, depends }] as const;
  };
  const index = new Map([
    entry('rustc-web', 'libc6 (>= 2.34), libstd-rust-web-dev (= 1.98.0), gcc'),
    entry('cargo-web', 'libcurl4, rustc-web (= 1.98.0)'),
    entry('libstd-rust-web-dev', 'libstd-rust-web-1.98 (= 1.98.0)'),
    entry('libstd-rust-web-1.98', 'libc6, libllvm23'),
    entry('libstd-rust-web-1.85', 'libllvm19'),
    entry('libllvm23', 'libz3-4'),
  ]);
  expect(rustPackages(index)).toEqual([
    ...['rustc-web', 'cargo-web', 'libstd-rust-web-dev', 'libstd-rust-web-1.98', 'libllvm23'],
  ]);
  expect(rustVersion('1.98.0+dfsg1-1~deb12u2')).toBe('1.98.0');
});
