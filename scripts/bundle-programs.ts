/**
 * `node scripts/bundle-programs.ts [ROOT]`: writes ROOT/dist/programs, the programs of bin/ as few files. They start at
 * every staging and every start of an app, and finding hundreds of modules one by one takes longer than all else that
 * they do. What only some runs need (a command's action, CredHub, YAML) stays in files of its own.
 */
import { cp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'rolldown';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const out = join(root, 'dist/programs');
const fresh = `${out}.new-${process.pid}`;
const source = (path: string): string => join(root, 'src', path);

/** With data files beside their modules, or large and loaded by few: PGlite, the S3 client, the page of the API, traces. */
const APART = /^(@electric-sql\/|@aws-sdk\/|@fastify\/swagger-ui|@opentelemetry\/)/;

await build({
  // Workers are found by their path from the file that starts them, which is in parts/ or another folder beside it.
  input: {
    'bin/builder': source('doors/dropin/builder-main.ts'),
    'bin/launcher': source('doors/dropin/launcher-main.ts'),
    'bin/stager': source('doors/cli/main.ts'),
    'parts/tree-check-worker': source('machine/stack/tree-check-worker.ts'),
    'pack/member-worker': source('staging/droplet/pack/member-worker.ts'),
    'unpack/unpack-worker': source('staging/droplet/unpack/unpack-worker.ts'),
  },
  platform: 'node',
  external: (id) => APART.test(id),
  logLevel: 'warn',
  // Not ECMAScript modules: importing a module of Node's from one loads all of it, streams and promises too.
  output: {
    dir: fresh,
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'parts/[name].cjs',
    comments: { legal: true, jsdoc: false, annotation: false },
  },
});
// What a browser gets as it is: see assets.ts there.
for (const name of ['page.css', 'page.js', 'icon.svg']) {
  await cp(source(`doors/http/page/${name}`), join(fresh, 'page', name));
}
await rm(out, { recursive: true, force: true });
await rename(fresh, out);
