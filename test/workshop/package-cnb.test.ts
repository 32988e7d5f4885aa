import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { httpClient } from '../../src/machine/proxy/http-client.ts';
import { acquireCnb } from '../../src/staging/cnb/cnb-acquire.ts';
import { RegistryClient } from '../../src/stores/registry/client.ts';
import { registryPorts } from '../../src/stores/registry/open.ts';
import { systemClock } from '../../src/words/clock.ts';
import { packageBuildpack } from '../../src/workshop/package-buildpack.ts';
import { serveNode } from './node-package.ts';
import { tree } from './tree.ts';

const { signal } = new AbortController();
const PACK = {
  VERSION: '1.2.3\n',
  'manifest.yml': 'language: some\n',
  'bin/detect': '#!/bin/sh\n',
  'bin/supply': '#!/bin/sh\n',
  'bin/finalize': '#!/bin/sh\n',
};

/** Packages it, with a text as Node. */
async function make(dir: string, out: string, more: { readonly id?: string; readonly out?: string } = {}) {
  await writeFile(join(out, 'a-node'), 'the program');
  await using node = await serveNode(join(out, 'a-node'), out, signal);
  const config = await loadConfig({ flags: { home: join(out, 'home') }, machineOnly: true });
  const http = httpClient({ proxy: config.proxy, extraCa: [] });
  const client = new RegistryClient(registryPorts(config, { http, clock: systemClock }), signal);
  const made = await packageBuildpack({
    dir,
    out: more.out ?? join(out, 'p.cnb'),
    signal,
    onWarning: () => {},
    cnb: {
      ...(more.id !== undefined && { id: more.id }),
      ...node,
      client,
      workspaces: join(out, 'workspaces'),
    },
  });
  return { made, client };
}

describe('a Cloud Native Buildpack', () => {
  it('is a package that is read by its labels, with the buildpack, the adapter and Node in it', async () => {
    await using pack = await tree(PACK);
    await using out = await tree({});
    const { made, client } = await make(pack.path, out.path, { id: 'example/some' });
    const bytes = readFileSync(made.file);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(made.sha256);
    expect(bytes.length).toBe(made.sizeBytes);

    const temp = join(out.path, 'acquired');
    mkdirSync(temp);
    const download = async (): Promise<never> => await Promise.reject(new Error('nothing is fetched'));
    const parts = { temp, client, download, registryIndex: download, signal };
    const { main, all } = await acquireCnb(made.file, 0, parts);
    expect(all).toHaveLength(1);
    expect(main.descriptor).toMatchObject({ id: 'example/some', version: '1.2.3', api: 10, name: 'some' });
    expect(main.root).toMatch(/\/cnb\/buildpacks\/example_some\/1\.2\.3$/);
    for (const path of ['bin/detect', 'bin/build', 'cf/bin/supply', 'node/bin/node']) {
      expect([path, lstatSync(join(main.root, path)).mode & 0o777]).toEqual([path, 0o755]);
    }
    expect(readFileSync(join(main.root, 'node/bin/node'), 'utf8')).toBe('the program');
    expect(readFileSync(join(main.root, 'plan/app.toml'), 'utf8')).toContain('buildpack = "example/some"');
    expect(readFileSync(join(main.root, 'cf/SHA256SUMS'), 'utf8')).toContain('bin/supply');
    expect(() => lstatSync(join(main.root, 'node/include'))).toThrow('ENOENT');
  });

  it('has the same bytes each time', async () => {
    await using pack = await tree(PACK);
    await using one = await tree({});
    await using two = await tree({});
    const [first, second] = [await make(pack.path, one.path), await make(pack.path, two.path)];
    expect(second.made.sha256).toBe(first.made.sha256);
  });

  it.each([
    ['a version that is none of CNBs', { VERSION: '1.2\n' }, undefined, 'is not of the form 1.2.3'],
    ['an id with other characters', {}, 'a b', 'is not an id'],
    ['a reserved id', {}, 'sbom', 'is not an id'],
    ['a buildpack of one script', { 'bin/finalize': '' }, undefined, 'has no bin/finalize'],
  ])('is refused for %s', async (_, changed, id, why) => {
    const files = Object.fromEntries(
      Object.entries({ ...PACK, ...changed }).filter(([, text]) => text !== ''),
    );
    await using pack = await tree(files);
    await using out = await tree({});
    await expect(make(pack.path, out.path, id === undefined ? {} : { id })).rejects.toThrow(why);
  });

  it('is not begun where it cannot be written', async () => {
    await using pack = await tree(PACK);
    await using out = await tree({});
    const missing = join(out.path, 'missing/p.cnb');
    await expect(make(pack.path, out.path, { out: missing })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});
