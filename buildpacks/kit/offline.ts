/** Offline buildpacks: the dependencies of manifest.yml inside, in the layout of Cloud Foundry's packager. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Dependencies } from './dependencies.ts';
import { BuildpackFailure } from './failure.ts';
import { isThere } from './files.ts';
import type { Log } from './log.ts';
import { compileManifest, type Dependency, loadManifest } from './manifest.ts';
import { type Env, fileNameOf } from './mirrors.ts';

/** What goes in, and where downloads are kept. */
export interface OfflineOptions {
  /** Only dependencies for this stack; default all. */
  readonly stack?: string;
  /** Only dependencies for this machine; default all. */
  readonly arch?: 'x64' | 'arm64';
  readonly cacheDir: string;
  readonly env: Env;
  readonly log: Log;
}

/**
 * Puts every dependency of `<root>/manifest.yml` into `<root>/dependencies/<md5 of uri>/<name>`, verified, and
 * writes its `file` into the manifest. Entries that `stack` or `arch` leave out are removed from the manifest, so
 * that the buildpack says clearly what it has. Running it again changes nothing.
 *
 * @throws BuildpackFailure when a download fails or nothing would be left.
 */
export async function makeOffline(root: string, options: OfflineOptions): Promise<void> {
  const manifest = await loadManifest(root);
  const path = join(root, 'manifest.yml');
  const { parseDocument } = await import('yaml');
  const document = parseDocument(await readFile(path, 'utf8'));
  const kept: number[] = [];
  const store = new Dependencies({ buildpackDir: root, ...options });
  for (const [index, dependency] of manifest.dependencies.entries()) {
    if (!wanted(dependency, options)) continue;
    kept.push(index);
    const md5 = createHash('md5').update(dependency.uri).digest('hex');
    const name = join('dependencies', md5, fileNameOf(dependency.uri));
    const source = await store.fetch(dependency);
    if (source !== join(root, name)) {
      await mkdir(join(root, 'dependencies', md5), { recursive: true });
      await copyFile(source, join(root, name));
    }
    document.setIn(['dependencies', index, 'file'], name);
  }
  if (kept.length === 0) throw new BuildpackFailure(`${path} has no dependency for this stack and machine`);
  for (let index = manifest.dependencies.length - 1; index >= 0; index--) {
    if (!kept.includes(index)) document.deleteIn(['dependencies', index]);
  }
  await writeFile(path, document.toString({ lineWidth: 0 }));
  const compiled = join(root, 'dist/manifest.json');
  if (await isThere(compiled)) await writeFile(compiled, (await compileManifest(root)) ?? '');
}

function wanted(dependency: Dependency, { stack, arch }: OfflineOptions): boolean {
  const stacks = dependency.cf_stacks;
  const fitsStack = stack === undefined || stacks === undefined || stacks.includes(stack);
  return fitsStack && (arch === undefined || dependency.arch === undefined || dependency.arch === arch);
}
