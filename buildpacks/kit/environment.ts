/** What several buildpacks of one app give each other (buildpack-contracts.md 2.4 and 2.5). */
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from './failure.ts';
import type { Env } from './mirrors.ts';

const STAGING_PATHS = [
  ['PATH', 'bin'],
  ['LD_LIBRARY_PATH', 'lib'],
  ['LIBRARY_PATH', 'lib'],
  ['CPATH', 'include'],
  ['PKG_CONFIG_PATH', 'pkgconfig'],
] as const;
const LAUNCH_PATHS = STAGING_PATHS.slice(0, 3);

/**
 * `env` with what the buildpacks in `depsDir` supplied: search paths with the highest index first, then the old
 * value; `env/*` files with their exact content, where the lowest index wins.
 */
export async function stagingEnv(depsDir: string, env: Env): Promise<Record<string, string | undefined>> {
  const indexes = await highestFirst(depsDir);
  const result: Record<string, string | undefined> = { ...env };
  for (const [variable, folder] of STAGING_PATHS) {
    const dirs = await existing(depsDir, indexes, folder);
    const old = env[variable];
    const all = [...dirs, ...(old === undefined || old === '' ? [] : [old])];
    if (dirs.length > 0) result[variable] = all.join(':');
  }
  for (const idx of indexes) {
    for (const name of await filesIn(join(depsDir, idx, 'env'))) {
      result[name] = await readFile(join(depsDir, idx, 'env', name), 'utf8');
    }
  }
  return result;
}

/**
 * What the final buildpack's finalize leaves for run time: `000_multi-supply.sh` with the search paths, and a
 * copy of every `deps/<idx>/profile.d/<file>` as `<idx>_<file>`.
 */
export async function writeLaunchEnv(depsDir: string, profileDir: string): Promise<void> {
  const indexes = await highestFirst(depsDir);
  await mkdir(profileDir, { recursive: true });
  const lines: string[] = [];
  for (const [variable, folder] of LAUNCH_PATHS) {
    const dirs = await existing(depsDir, indexes, folder);
    if (dirs.length === 0) continue;
    const paths = dirs.map((dir) => `$DEPS_DIR${dir.slice(depsDir.length)}`).join(':');
    lines.push(`export ${variable}="${paths}\${${variable}:+:$${variable}}"`);
  }
  await writeFile(join(profileDir, '000_multi-supply.sh'), lines.map((line) => `${line}\n`).join(''), {
    mode: 0o755,
  });
  for (const idx of indexes) {
    const from = join(depsDir, idx, 'profile.d');
    for (const name of await filesIn(from)) {
      await copyFile(join(from, name), join(profileDir, `${idx}_${name}`));
    }
  }
}

async function highestFirst(depsDir: string): Promise<string[]> {
  const names = (await readdir(depsDir)).filter((name) => /^\d+$/.test(name));
  return names.sort((a, b) => Number(b) - Number(a));
}

async function existing(depsDir: string, indexes: readonly string[], folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const idx of indexes) {
    const dir = join(depsDir, idx, folder);
    if ((await statOrNothing(dir))?.isDirectory() === true) found.push(dir);
  }
  return found;
}

async function filesIn(dir: string): Promise<string[]> {
  let names: string[] = [];
  try {
    names = await readdir(dir);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
  }
  const files: string[] = [];
  for (const name of names.sort()) {
    if ((await statOrNothing(join(dir, name)))?.isFile() === true) files.push(name);
  }
  return files;
}

async function statOrNothing(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
