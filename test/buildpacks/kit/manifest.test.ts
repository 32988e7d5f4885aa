import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dir as tempDir } from 'tmp-promise';
import { describe, expect, it } from 'vitest';
import {
  applyOverride,
  compileManifest,
  deprecation,
  loadManifest,
  resolve,
} from '../../../buildpacks/kit/manifest.ts';
import { fileNameOf, locate } from '../../../buildpacks/kit/mirrors.ts';

const SHA = 'a'.repeat(64);
const TEXT = `
language: demo
default_versions: [{name: tool, version: 1.x}]
dependency_deprecation_dates:
  - {name: tool, version_line: 1.x, date: 2030-01-31}
dependencies:
  - {name: tool, version: 1.2.3, uri: https://example.org/tool.tgz, sha256: ${SHA}}
  - {name: tool, version: 2.0.0, uri: https://example.org/tool2.tgz, sha256: ${SHA}, cf_stacks: [cflinuxfs4]}
  - {name: tool, version: 3.0.0, uri: https://example.org/tool3.tgz, sha256: ${SHA}, arch: arm64}
  - {name: tool, version: 1.9.0, uri: https://example.org/tool4.tgz, sha256: ${SHA}, requires: {node: '>=22'}}
`;
const HOST = { stack: 'host', arch: 'x64' };

async function load(text: string) {
  const { path, cleanup } = await tempDir({ unsafeCleanup: true });
  try {
    await writeFile(join(path, 'manifest.yml'), text);
    return await loadManifest(path);
  } finally {
    await cleanup();
  }
}

describe('manifest.yml', () => {
  it('offers only what fits stack, machine and the versions chosen before', async () => {
    const manifest = await load(TEXT);
    expect(resolve(manifest, 'tool', '*', { ...HOST, with: { node: '20.1.0' } }).version).toBe('1.2.3');
    expect(resolve(manifest, 'tool', '*', { ...HOST, with: { node: '24.1.0' } }).version).toBe('1.9.0');
    expect(resolve(manifest, 'tool', '*', { ...HOST, stack: 'cflinuxfs4' }).version).toBe('2.0.0');
    expect(resolve(manifest, 'tool', '*', { stack: 'host', arch: 'arm64' }).version).toBe('3.0.0');
  });

  it('lists what exists when nothing matches', async () => {
    const manifest = await load(TEXT);
    expect(() => resolve(manifest, 'tool', '7.x', HOST)).toThrow('Available: 1.9.0, 1.2.3');
    expect(() => resolve(manifest, 'tool', 'seven', HOST)).toThrow('"seven" is not a version range for tool');
    expect(() => resolve(manifest, 'other', '1.x', HOST)).toThrow('none for stack host on x64');
  });

  it('names every dependency that is not usable', async () => {
    await expect(load(TEXT.replaceAll(SHA, 'short'))).rejects.toThrow(/dependencies\.0.*\n.*dependencies\.1/);
    await expect(load('dependencies: []')).rejects.toThrow('language');
    await expect(load('{')).rejects.toThrow("can't be read");
  });

  it('warns from thirty days before the end of a version line on', async () => {
    const manifest = await load(TEXT);
    const tool = resolve(manifest, 'tool', '1.2.3', HOST);
    expect(deprecation(manifest, tool, new Date('2029-12-01'))).toBeUndefined();
    expect(deprecation(manifest, tool, new Date('2030-01-02'))).toContain(
      'reaches its end of life on 2030-01-31',
    );
    expect(deprecation(manifest, tool, new Date('2030-03-01'))).toContain('reached its end of life');
  });

  it('takes defaults and dependencies of an override for its own language only', async () => {
    const manifest = await load(TEXT);
    const override = {
      demo: {
        default_versions: [{ name: 'tool', version: '5.x' }],
        dependencies: [{ name: 'tool', version: '5.0.0', uri: 'https://example.org/5', sha256: SHA }],
      },
      other: { default_versions: [{ name: 'tool', version: '6.x' }] },
    };
    const result = applyOverride(manifest, override, 'override.yml');
    expect(result.default_versions).toEqual([{ name: 'tool', version: '5.x' }]);
    expect(resolve(result, 'tool', '5.x', HOST).uri).toBe('https://example.org/5');
    expect(applyOverride(manifest, { other: {} }, 'override.yml')).toBe(manifest);
    expect(() => applyOverride(manifest, { demo: { dependencies: [{}] } }, 'override.yml')).toThrow(
      'override.yml',
    );
  });
});

it('is read as it was compiled, for as long as that is whole and of this manifest.yml', async () => {
  const { path, cleanup } = await tempDir({ unsafeCleanup: true });
  try {
    await mkdir(join(path, 'dist'));
    await writeFile(join(path, 'manifest.yml'), TEXT);
    const compiled = (await compileManifest(path)) ?? '';
    await writeFile(join(path, 'dist/manifest.json'), compiled.replace('1.2.3', '1.2.4'));
    expect((await loadManifest(path)).dependencies.map(({ version }) => version)).toContain('1.2.4');
    await writeFile(join(path, 'manifest.yml'), `${TEXT}\n`);
    expect((await loadManifest(path)).dependencies.map(({ version }) => version)).toContain('1.2.3');
    for (const damaged of ['{', compiled.replace('checked', 'value')]) {
      await writeFile(join(path, 'dist/manifest.json'), damaged);
      expect((await loadManifest(path)).dependencies.map(({ version }) => version)).toContain('1.2.3');
    }
    await writeFile(join(path, 'manifest.yml'), `${TEXT}  - name: nothing else\n`);
    await expect(compileManifest(path)).rejects.toThrow('not a valid manifest');
  } finally {
    await cleanup();
  }
});

describe('package addresses', () => {
  it('point at the mirror that the environment names', () => {
    const env = {
      NPM_CONFIG_REGISTRY: 'https://npm.example/',
      STAGER_DEBIAN_MIRROR: 'http://deb.example/d',
      STAGER_UBUNTU_MIRROR: 'http://ubuntu.example/u/',
    };
    expect(locate('ubuntu:pool/main/d/x.deb', env)).toBe('http://ubuntu.example/u/pool/main/d/x.deb');
    expect(locate('npm:@yarnpkg/cli-dist@4.0.0', env)).toBe(
      'https://npm.example/@yarnpkg/cli-dist/-/cli-dist-4.0.0.tgz',
    );
    expect(locate('npm:yarn@1.22.22', { ...env, STAGER_NPM_REGISTRY: 'https://own.example' })).toBe(
      'https://own.example/yarn/-/yarn-1.22.22.tgz',
    );
    expect(locate('debian:pool/n/nginx.deb', env)).toBe('http://deb.example/d/pool/n/nginx.deb');
    expect(locate('https://example.org/x.tgz', env)).toBe('https://example.org/x.tgz');
    expect(() => locate('ftp://example.org/x', env)).toThrow("don't know how to download");
    expect(() => locate('npm:../../x@1', env)).toThrow('not of the form');
  });

  it('have file names whose ending says how they are packed', () => {
    expect(fileNameOf('npm:@yarnpkg/cli-dist@4.0.0')).toBe('yarnpkg-cli-dist-4.0.0.tgz');
    expect(fileNameOf('https://example.org/a/tool%2B1.tar.xz?x=/y')).toBe('tool+1.tar.xz');
  });
});
