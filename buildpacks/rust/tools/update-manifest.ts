/**
 * Rewrites ../manifest.yml: `node buildpacks/rust/tools/update-manifest.ts`. Debian's Rust for building browsers, with
 * the libraries that it needs.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { allInSuite } from '../../kit/debian.ts';
import { debianEntries } from '../../kit/debian-manifest.ts';
import { createLog } from '../../kit/log.ts';
import { MAY_BE_PART, RUST_SUITE, rustPackages } from '../src/debian-rust.ts';

const path = join(import.meta.dirname, '../manifest.yml');
const scratch = await mkdtemp(join(tmpdir(), 'rust-index-'));
const log = createLog((line) => console.error(line));
const index = await allInSuite({ suite: RUST_SUITE, arch: 'x64', env: process.env, log, scratch }, (name) =>
  MAY_BE_PART.test(name),
);
await rm(scratch, { recursive: true });
const parts = rustPackages(index);

const listed = z.array(z.looseObject({ name: z.string(), version: z.string(), debian: z.unknown() }));
const all = listed.parse(
  await debianEntries({ suite: RUST_SUITE, manifest: path, packages: parts, withLibraries: true }),
);
const rust = all.find(({ name }) => name === 'rustc-web')?.version ?? '';
const dependencies = all.map((entry) => {
  if (!parts.includes(entry.name)) return entry;
  // One alone is of no use: the buildpack looks for all of them when one is gone.
  const { debian: _, ...pinned } = entry;
  if (entry.name === 'rustc-web')
    return { ...pinned, name: 'rust', requires: { glibc: '>=2.36' }, origin: 'Debian' };
  return { ...pinned, group: 'rust', requires: { rust } };
});
const manifest = {
  language: 'rust',
  default_versions: [{ name: 'rust', version: '1.x' }],
  dependencies,
};
const header = '# Written by tools/update-manifest.ts. Packages of Debian or its mirror.\n';
await writeFile(path, header + stringify(manifest, { lineWidth: 0 }));
