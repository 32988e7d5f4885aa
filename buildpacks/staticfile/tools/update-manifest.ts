/**
 * Rewrites ../manifest.yml from Debian's signed index: `node buildpacks/staticfile/tools/update-manifest.ts`.
 * nginx, its mime types, and the libraries that a stack may lack.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { debianEntries } from '../../kit/debian-manifest.ts';

const SUITE = 'bookworm';
const PACKAGES = ['nginx', 'nginx-common'];

const path = join(import.meta.dirname, '../manifest.yml');
const manifest = {
  language: 'staticfile',
  default_versions: PACKAGES.map((name) => ({ name, version: '*' })),
  dependencies: await debianEntries({
    suite: SUITE,
    packages: PACKAGES,
    manifest: path,
    withLibraries: true,
  }),
};
const header = `# Written by tools/update-manifest.ts. Packages of Debian ${SUITE}: they run on any glibc from 2.34 on.\n`;
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
