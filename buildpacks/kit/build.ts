/**
 * Makes buildpacks that stand alone: `node buildpacks/kit/build.ts [--offline] [DIR…]`.
 *
 * A source tree's `dist/` gets a bundle of `src/main.ts` with the kit and all libraries in it, and the shell entry
 * points; the tree can be staged with then. Without DIR these are the buildpacks that ship, of which
 * `dist/buildpacks/<name>` gets a copy without sources, unless it is newer than they are. With --offline, a copy
 * that has the dependencies for this machine inside goes to `dist/buildpacks-offline/<name>`.
 * The same sources give the same bytes.
 */
import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { exportKit, runtimeTable } from './export.ts';
import { createLog } from './log.ts';
import { compileManifest } from './manifest.ts';
import { makeOffline } from './offline.ts';

const kit = dirname(fileURLToPath(import.meta.url));
const root = resolve(kit, '../..');
/** The only entries of a source tree that belong to the buildpack. */
const PARTS = ['bin', 'dist', 'profile', 'manifest.yml', 'VERSION'];

async function main(dirs: readonly string[], offline: boolean): Promise<void> {
  const stamp = await newest([kit, join(root, 'package-lock.json')]);
  const exported = join(root, 'dist/kit');
  if (dirs.length === 0 && (await newest([join(exported, '.built')])) < stamp) await exportKit(exported);
  for (const dir of dirs.length > 0 ? dirs.map((name) => resolve(name)) : await shipped()) {
    const out = join(root, 'dist', offline ? 'buildpacks-offline' : 'buildpacks', basename(dir));
    const changed = Math.max(stamp, await newest([dir]));
    if (dirs.length === 0 && (await newest([join(out, '.built')])) >= changed) continue;
    await bundle(dir);
    if (dirs.length === 0 || offline) await assemble(dir, out, offline);
    console.error(`built ${basename(dir)}`);
  }
}

async function shipped(): Promise<string[]> {
  const above = dirname(kit);
  const names = (await readdir(above)).filter((name) => name !== 'kit');
  return names.sort().map((name) => join(above, name));
}

/** Writes `<dir>/dist`, aside first: a staging may be copying it. */
async function bundle(dir: string): Promise<void> {
  const fresh = join(dir, `dist.new-${process.pid}`);
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh);
  for (const name of ['launch-env.sh', 'serve.sh']) await cp(join(kit, name), join(fresh, name));
  const main = join(dir, 'src/main.ts');
  if ((await newest([main])) > 0) {
    await cp(join(kit, 'run.sh'), join(fresh, 'run.sh'));
    await writeFile(join(fresh, 'node-runtime'), await runtimeTable());
    const manifest = await compileManifest(dir);
    if (manifest !== undefined) await writeFile(join(fresh, 'manifest.json'), manifest);
    await build({
      input: main,
      platform: 'node',
      resolve: { alias: { 'stager/kit': join(kit, 'index.ts') } },
      logLevel: 'warn',
      // What one buildpack reads in any case another may never need.
      checks: { ineffectiveDynamicImport: false },
      output: {
        dir: fresh,
        // Starts sooner than a module, and what only some apps need (YAML, archives) is not read by the others.
        format: 'cjs',
        entryFileNames: 'main.cjs',
        chunkFileNames: '[name].cjs',
        comments: { legal: true, jsdoc: false, annotation: false },
      },
    });
  }
  await rm(join(dir, 'dist'), { recursive: true, force: true });
  await rename(fresh, join(dir, 'dist'));
}

async function assemble(dir: string, out: string, offline: boolean): Promise<void> {
  const fresh = `${out}.new-${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  for (const part of await readdir(dir)) {
    if (PARTS.includes(part)) await cp(join(dir, part), join(fresh, part), { recursive: true });
  }
  if (offline)
    await makeOffline(fresh, { ...offlineParts(), arch: process.arch === 'arm64' ? 'arm64' : 'x64' });
  await writeFile(join(fresh, '.built'), '');
  await rm(out, { recursive: true, force: true });
  await rename(fresh, out);
}

/** Downloads are kept between builds; the registry mirrors are those of the environment. */
function offlineParts() {
  const log = createLog((line) => process.stderr.write(`${line}\n`));
  return { cacheDir: join(root, '.cache/kit'), env: process.env, log };
}

/** Latest change below the paths, in ms; 0 when there is nothing. Generated folders don't count. */
async function newest(paths: readonly string[]): Promise<number> {
  let latest = 0;
  for (const path of paths) {
    const at = await stat(path).catch(() => undefined);
    if (at === undefined) continue;
    if (at.isFile()) latest = Math.max(latest, at.mtimeMs);
    if (!at.isDirectory()) continue;
    const names = (await readdir(path)).filter(
      (name) => !/^(dist(\.new-\d+)?|node_modules|vendor)$/.test(name),
    );
    latest = Math.max(latest, await newest(names.map((name) => join(path, name))));
  }
  return latest;
}

const dirs = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
await main(dirs, process.argv.includes('--offline'));
