/**
 * Rewrites ../manifest.yml from Maven Central (CPython as bytedeco builds it), Debian, Ubuntu and the Python index (uv):
 * `node buildpacks/python/tools/update-manifest.ts`. The newest build of each line. Sums of files that the manifest has
 * already are taken from it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compare, rcompare, valid } from 'semver';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { fetchText } from '../../kit/download.ts';
import { manifestSums } from '../../kit/manifest-sums.ts';
import { registryUrl } from '../../kit/mirrors.ts';
import { pypiFiles } from '../../kit/pypi.ts';

/** Of bytedeco; its older builds need libraries that no stack has any more. */
const LINES = ['3.14', '3.13', '3.12'];
const SUITES = [
  { line: '3.11', suite: 'bookworm', distribution: 'debian', machines: ['x64', 'arm64'] },
  { line: '3.10', suite: 'jammy', distribution: 'ubuntu', machines: ['x64'] },
] as const;
const listed = z.array(
  z.looseObject({ name: z.string(), version: z.string(), libraries: z.unknown().optional() }),
);
const ENDS = {
  '3.10': '2026-10-31',
  '3.11': '2027-10-31',
  '3.12': '2028-10-31',
  '3.13': '2029-10-31',
  '3.14': '2030-10-31',
};
const GROUP = 'org.bytedeco:cpython';
const path = join(import.meta.dirname, '../manifest.yml');
const sha256 = await manifestSums(path);

const metadata = await fetchText(
  `${registryUrl('maven', process.env)}/org/bytedeco/cpython/maven-metadata.xml`,
  1_000_000,
);
const builds = [...metadata.matchAll(/<version>(\d+\.\d+\.\d+)-(\d+\.\d+\.\d+)<\/version>/g)].map(
  ([, version = '', build = '']) => ({
    version,
    build,
  }),
);
const dependencies: object[] = [];
for (const line of LINES) {
  const [newest] = builds
    .filter(({ version }) => version.startsWith(`${line}.`))
    .sort((a, b) => rcompare(a.version, b.version) || rcompare(a.build, b.build));
  if (newest === undefined) continue;
  for (const [arch, machine] of [
    ['x64', 'x86_64'],
    ['arm64', 'arm64'],
  ] as const) {
    const uri = `maven:${GROUP}:${newest.version}-${newest.build}:linux-${machine}`;
    const sum = await sha256(uri);
    if (sum === undefined) continue;
    dependencies.push({
      name: 'python',
      version: newest.version,
      uri,
      sha256: sum,
      arch,
      origin: 'built by bytedeco, from Maven Central',
    });
  }
}
for (const { line, suite, distribution, machines } of SUITES) {
  const main = `python${line}-minimal`;
  const lib = `libpython${line}`;
  const found = listed.parse(
    await debianEntries({
      ...{ suite, distribution, machines, manifest: path, withLibraries: distribution === 'debian' },
      packages: [main, `${lib}-minimal`, `${lib}-stdlib`, `${lib}-dev`, 'python3-distutils'],
    }),
  );
  const version = found.find(({ name }) => name === main)?.version ?? '';
  for (const entry of found) {
    if (entry.name === main) {
      const origin = `built by ${distribution === 'ubuntu' ? 'Ubuntu' : 'Debian'}, ${suite}`;
      dependencies.push({ ...entry, name: 'python', requires: { glibc: '>=2.35' }, origin });
    } else if (entry.libraries === undefined) {
      dependencies.push({ ...entry, group: 'python', requires: { python: version } });
    } else if (entry.name !== lib) dependencies.push(entry);
  }
}
/** What those of 3.10 and 3.14 need besides. */
const MORE = [
  { name: 'libmpdec3', libraries: ['libmpdec.so.3'], ...SUITES[1] },
  { name: 'libzstd1', libraries: ['libzstd.so.1'], ...SUITES[0] },
] as const;
for (const { name, libraries, suite, distribution, machines } of MORE) {
  const query = { suite, distribution, machines, manifest: path, packages: [name] };
  dependencies.push(...(await debianEntries({ ...query, more: () => ({ libraries: [...libraries] }) })));
}
const wheels = (await pypiFiles('uv', process.env)).flatMap(({ name, sha256: sum }) => {
  const [, version, machine] =
    /^uv-([\d.]+)-py3-none-manylinux_2_17_(x86_64|aarch64)\.manylinux2014_[\w.]+\.whl$/.exec(name) ?? [];
  return version === undefined || valid(version) === null || sum === undefined
    ? []
    : [{ name, version, machine, sum }];
});
const newest = wheels
  .map(({ version }) => version)
  .sort(compare)
  .at(-1);
for (const { name, version, machine, sum } of wheels) {
  if (version !== newest) continue;
  dependencies.push({
    name: 'uv',
    version,
    uri: `pypi:uv@${version}/${name}`,
    sha256: sum,
    arch: machine === 'x86_64' ? 'x64' : 'arm64',
  });
}
const manifest = {
  language: 'python',
  default_versions: [
    { name: 'python', version: '3.13.x' },
    { name: 'uv', version: '*' },
  ],
  dependency_deprecation_dates: Object.entries(ENDS).map(([line, date]) => ({
    name: 'python',
    version_line: `${line}.x`,
    date,
    link: 'https://devguide.python.org/versions/',
  })),
  dependencies,
};
const header =
  '# Written by tools/update-manifest.ts. Files of Maven Central, Debian, Ubuntu and the Python index, or of their mirrors.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
