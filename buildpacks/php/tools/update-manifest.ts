/**
 * Rewrites ../manifest.yml: `node buildpacks/php/tools/update-manifest.ts`. PHP 8.2 with its extensions, httpd and nginx are Debian
 * bookworm's, Composer is trixie's (it is made of PHP files), other lines of PHP come from npm.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { fetchText } from '../../kit/download.ts';
import { registryUrl } from '../../kit/mirrors.ts';

const LINE = '8.2';
const BASE = ['cli', 'common', 'opcache'];
const EXTENSIONS = [
  ...[
    'curl',
    'mbstring',
    'xml',
    'zip',
    'bcmath',
    'bz2',
    'dba',
    'gd',
    'gmp',
    'intl',
    'ldap',
    'mysql',
    'pgsql',
    'soap',
  ],
  ...[
    'sqlite3',
    'tidy',
    'apcu',
    'ds',
    'igbinary',
    'memcached',
    'mongodb',
    'msgpack',
    'redis',
    'uuid',
    'xdebug',
    'readline',
    'yaml',
  ],
];
const COMPOSER = [
  ...[
    'composer',
    'php-composer-ca-bundle',
    'php-composer-class-map-generator',
    'php-composer-metadata-minifier',
  ],
  ...['php-composer-semver', 'php-composer-spdx-licenses', 'php-composer-xdebug-handler', 'php-json-schema'],
  ...['php-psr-log', 'jsonlint', 'php-symfony-console', 'php-symfony-filesystem', 'php-symfony-finder'],
  ...['php-symfony-process', 'php-react-promise', 'php-composer-pcre', 'php-seld-signal-handler', 'php-enum'],
  ...['php-symfony-deprecation-contracts', 'php-symfony-service-contracts', 'php-symfony-string'],
  'php-psr-container',
];
/** Builds for functions of a cloud, with all that they need; which PHP is in them only they say. */
const BUILDS = [
  { package: '@libphp/almalinux-9-v85', build: '0.0.3', version: '8.5.2' },
  { package: '@libphp/amazon-linux-2023-v84', build: '0.0.8', version: '8.4.14' },
  { package: '@libphp/amazon-linux-2-v83', build: '0.0.14', version: '8.3.8' },
];
/** Until Debian stops its support of bookworm, and PHP's project that of the others. */
const ENDS = { '8.2.x': '2028-06-30', '8.3.x': '2027-12-31', '8.4.x': '2028-12-31', '8.5.x': '2029-12-31' };

const path = join(import.meta.dirname, '../manifest.yml');
const listed = z.array(z.looseObject({ name: z.string(), version: z.string() }));
const deb = (suffix: string) => `php${LINE}-${suffix}`;
const suite = listed.parse(
  await debianEntries({
    suite: 'bookworm',
    manifest: path,
    packages: [deb('fpm'), ...BASE.map(deb), ...EXTENSIONS.map(deb), 'nginx', 'nginx-common', 'apache2-bin'],
    withLibraries: true,
  }),
);
const php = suite.find(({ name }) => name === deb('fpm'))?.version ?? '';
const debian = suite.map((entry) => {
  if (entry.name === deb('fpm')) return { ...entry, name: 'php' };
  if (BASE.map(deb).includes(entry.name)) return { ...entry, group: 'php', requires: { php } };
  return EXTENSIONS.map(deb).includes(entry.name) ? { ...entry, requires: { php } } : entry;
});
const composer = listed
  .parse(await debianEntries({ suite: 'trixie', manifest: path, packages: COMPOSER }))
  .map((entry) => ({ ...entry, group: 'composer' }));

const dist = z.object({ dist: z.object({ integrity: z.string() }) });
const builds = [];
for (const { package: name, build, version } of BUILDS) {
  const text = await fetchText(`${registryUrl('npm', process.env)}/${name}/${build}`, 1_000_000);
  builds.push({
    name: 'php',
    version,
    uri: `npm:${name}@${build}`,
    integrity: dist.parse(JSON.parse(text)).dist.integrity,
    arch: 'x64',
    origin: 'built by libphp, from npm',
  });
}
const manifest = {
  language: 'php',
  default_versions: [
    { name: 'php', version: `${LINE}.x` },
    ...['nginx', 'nginx-common', 'apache2-bin'].map((name) => ({ name, version: '*' })),
  ],
  dependency_deprecation_dates: Object.entries(ENDS).map(([line, date]) => ({
    name: 'php',
    version_line: line,
    date,
    link: line === `${LINE}.x` ? 'https://wiki.debian.org/LTS' : 'https://www.php.net/supported-versions.php',
  })),
  dependencies: [...builds, ...debian, ...composer],
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Debian, and of npm or the mirrors of both.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
