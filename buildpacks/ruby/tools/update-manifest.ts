/** Rewrites ../manifest.yml from Debian's signed indexes: `node buildpacks/ruby/tools/update-manifest.ts`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { debianEntries } from '../../kit/debian-manifest.ts';

const path = join(import.meta.dirname, '../manifest.yml');
const listed = z.array(
  z.looseObject({ name: z.string(), version: z.string(), libraries: z.unknown().optional() }),
);

const LINE = '3.1';
const main = `ruby${LINE}`;
const packages = [
  ...[main, `lib${main}`, `${main}-dev`, 'rubygems-integration', 'ruby-bundler', 'ruby-rubygems', 'rake'],
  'ruby-webrick',
];
const found = listed.parse(
  await debianEntries({ suite: 'bookworm', manifest: path, packages, withLibraries: true }),
);
const version = found.find(({ name }) => name === main)?.version ?? '';
const manifest = {
  language: 'ruby',
  default_versions: [{ name: 'ruby', version: `${LINE}.x` }],
  // Ruby's project ended its support in March 2025; this is Debian's.
  dependency_deprecation_dates: [
    { name: 'ruby', version_line: `${LINE}.x`, date: '2028-06-30', link: 'https://wiki.debian.org/LTS' },
  ],
  dependencies: found.map((entry) => {
    if (entry.name === main) return { ...entry, name: 'ruby' };
    return entry.libraries === undefined ? { ...entry, group: 'ruby', requires: { ruby: version } } : entry;
  }),
};
const header =
  '# Written by tools/update-manifest.ts. Packages of Debian bookworm: they run on any glibc from 2.34 on.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
