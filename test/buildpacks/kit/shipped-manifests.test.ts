/** The manifests that ship, for both kinds of machines: what runs here shows only one of them. */
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../../buildpacks/kit/log.ts';
import {
  defaultRange,
  groupOf,
  loadManifest,
  resolve,
  versionsOf,
} from '../../../buildpacks/kit/manifest.ts';
import { locate } from '../../../buildpacks/kit/mirrors.ts';
import { choosePython } from '../../../buildpacks/python/src/version.ts';
import { registriesOf } from '../../../src/config/registries.ts';
import { addressOf } from '../../../src/workshop/offline.ts';

const MACHINES = ['x64', 'arm64'] as const;
const FOR = { x64: /amd64|x86_64|x64|@libphp\//, arm64: /arm64|aarch64/ } as const;
/** What a newer stack has beside what every stack has. */
const LIBCS = ['2.36.0', '2.41.0'];
/** Nobody publishes these for arm64 in a registry. */
const ONLY_X64 =
  /^(Microsoft\.|dotnet-|aspnetcore-|php 8\.[345]|python 3\.1[03]|libpython3\.10|python3-distutils 3\.10|libmpdec3)/;

/** Node's lines are those of its first number, and their patches are not published for all machines at once. */
const lineOf = (name: string, version: string) =>
  `${name} ${version.replace(name === 'node' ? /\..+$/ : /\.[^.]+$/, '')}`;

const names = (await readdir('buildpacks', { withFileTypes: true })).map(({ name }) => name);
const manifests = await Promise.all(
  names.map(async (name) => ({
    name,
    manifest: await loadManifest(`buildpacks/${name}`).catch(() => undefined),
  })),
);
const shipped = manifests.flatMap(({ name, manifest }) =>
  manifest === undefined ? [] : [{ name, manifest }],
);

describe.each(shipped)('manifest.yml of $name', ({ name: buildpack, manifest }) => {
  it('has entries that stand for themselves, since a package has only some of them', async () => {
    expect(await readFile(`buildpacks/${buildpack}/manifest.yml`, 'utf8')).not.toMatch(/^\s*[\w-]+: [&*]\w/m);
  });

  it('names files for the machine that each entry is for, where packaging finds them too', () => {
    for (const { arch, uri, checksum } of manifest.dependencies) {
      expect(checksum.digest, uri).toMatch(/^([0-9a-f]{64}|[0-9a-f]{128}|[\w+/]{86}==)$/);
      if (arch === undefined) expect(uri).not.toMatch(/amd64|x86_64|arm64|aarch64/);
      else if (!/_all\.deb$/.test(uri)) expect(uri).toMatch(FOR[arch]);
      if (!uri.startsWith('pypi:')) expect(addressOf(uri, registriesOf({})).url).toBe(locate(uri, {}));
    }
  });

  it('has the same lines for both machines, with all packages of a group, except where nobody publishes them', () => {
    for (const glibc of LIBCS) {
      const fits = MACHINES.map((arch) => ({ stack: 'host', arch, with: { glibc } }));
      const [x64, arm64] = fits.map((fit) =>
        manifest.dependencies
          .filter(({ name }) => versionsOf(manifest, name, fit).length > 0)
          .flatMap(({ name }) => versionsOf(manifest, name, fit).map((version) => lineOf(name, version))),
      );
      const lines = (all: readonly string[] = []) =>
        [...new Set(all)].filter((it) => !ONLY_X64.test(it)).sort();
      expect(lines(arm64)).toEqual(lines(x64));
      for (const group of new Set(manifest.dependencies.flatMap((it) => it.group ?? []))) {
        const [here, there] = fits.map((fit) => groupOf(manifest, group, fit).map(({ name }) => name));
        expect(lines(there)).toEqual(lines(here));
      }
    }
  });

  it('has its defaults for both machines', () => {
    for (const { name, version } of manifest.default_versions) {
      for (const arch of MACHINES) {
        if (arch === 'arm64' && ONLY_X64.test(`${name} ${version}`)) continue;
        expect(resolve(manifest, name, version, { stack: 'host', arch, with: {} }).name).toBe(name);
      }
    }
  });
});

it('an app that says nothing of Python gets the newest where the default is not there for its machine', async () => {
  const manifest = await loadManifest('buildpacks/python');
  const lines: string[] = [];
  const choose = (name: string, range?: string) =>
    resolve(manifest, name, range ?? defaultRange(manifest, name), { stack: 'host', arch: 'arm64' });
  const context = { manifest, env: { CF_STACK: 'host' }, log: createLog((line) => lines.push(line)), choose };
  const found = choosePython(
    context,
    { range: undefined, source: 'nothing asks for one: the default' },
    'arm64',
  );
  expect(found.version).toMatch(/^3\.14\./);
  expect(found.uri).toContain('linux-arm64');
});
