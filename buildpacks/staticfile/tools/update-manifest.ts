/**
 * Writes ../manifest.yml anew from Debian's signed index: `node buildpacks/staticfile/tools/update-manifest.ts`.
 * nginx, its mime types, and the libraries that a stack may lack.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { newestInSuite } from '../../kit/debian.ts';
import { createLog } from '../../kit/log.ts';

const SUITE = 'bookworm';
const PACKAGES = ['nginx', 'nginx-common', 'libpcre2-8-0', 'libssl3', 'zlib1g', 'libcrypt1'];

const scratch = await mkdtemp(join(tmpdir(), 'debian-index-'));
const log = createLog((line) => console.error(line));
const dependencies: object[] = [];
for (const arch of ['x64', 'arm64'] as const) {
  for (const name of PACKAGES) {
    const found = await newestInSuite({ suite: SUITE, package: name, arch, env: process.env, log, scratch });
    const upstream = /^(?:\d+:)?(\d+(?:\.\d+)*)/.exec(found.version)?.[1] ?? '0';
    const version = [...upstream.split('.'), '0', '0'].slice(0, 3).join('.');
    const debian = { suite: SUITE, package: name };
    dependencies.push({ name, version, uri: found.uri, sha256: found.checksum.digest, arch, debian });
  }
}
await rm(scratch, { recursive: true });
const manifest = {
  language: 'staticfile',
  default_versions: PACKAGES.map((name) => ({ name, version: '*' })),
  dependencies,
};
const header = `# Written by tools/update-manifest.ts. Packages of Debian ${SUITE}: they run on any glibc from 2.34 on.\n`;
await writeFile(join(import.meta.dirname, '../manifest.yml'), header + stringify(manifest, { lineWidth: 0 }));
