/** Shared libraries that programs need and the stack lacks, from the packages of the manifest that have them. */
import { access, lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { neededLibraries } from './elf.ts';
import type { Pick as PickPath } from './extract.ts';
import { errnoOf } from './failure.ts';
import type { Dependency } from './manifest.ts';
import type { StepContext } from './step.ts';

const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const PLACES = [`/lib/${TRIPLET}`, `/usr/lib/${TRIPLET}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
const LIBRARY = /\/lib[^/]*\.so\.[\d.]+$/;

/** Takes the libraries out of a package of Debian, without its folders. */
export const librariesOnly: PickPath = (path) => (LIBRARY.test(`/${path}`) ? basename(path) : undefined);

/**
 * Looks what the programs and libraries in `from` (files or folders) need, and installs what neither the stack nor `into`
 * has into `into`, with what that needs in turn. Returns the names of those that nobody has.
 */
export async function installLibraries(
  context: Pick<StepContext, 'manifest' | 'dependencies' | 'log'>,
  { from, into }: { readonly from: readonly string[]; readonly into: string },
): Promise<string[]> {
  const known = new Set<string>();
  const missing: string[] = [];
  const todo: string[] = [];
  for (const path of from) todo.push(...(await filesIn(path)));
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    for (const name of await neededLibraries(file)) {
      if (known.has(name)) continue;
      known.add(name);
      if (await isThere([...PLACES, into], name)) continue;
      const entry = ownerOf(context.manifest.dependencies, name);
      if (entry === undefined) {
        missing.push(name);
        continue;
      }
      await context.dependencies.install(entry, into, { pick: librariesOnly });
      todo.push(join(into, name));
    }
  }
  if (missing.length > 0) context.log.debug(`no package has ${missing.join(', ')}`);
  return missing;
}

/** Whether the stack has a shared library whose name matches; for those that programs load by themselves. */
export async function stackHasLibrary(name: RegExp): Promise<boolean> {
  for (const place of PLACES) {
    const names = await readdir(place).catch(() => []);
    if (names.some((file) => name.test(file))) return true;
  }
  return false;
}

type Pick<T, K extends keyof T> = { readonly [P in K]: T[P] };

function ownerOf(entries: readonly Dependency[], library: string): Dependency | undefined {
  return entries.find(
    ({ libraries, arch }) =>
      libraries?.includes(library) === true && (arch === undefined || arch === process.arch),
  );
}

async function isThere(places: readonly string[], name: string): Promise<boolean> {
  for (const place of places) {
    const found = await access(join(place, name)).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** All files at or below a path; links are looked at where they lead. */
async function filesIn(path: string): Promise<string[]> {
  try {
    const at = await lstat(path);
    if (at.isFile()) return [path];
    if (!at.isDirectory()) return [];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const files: string[] = [];
  for (const name of await readdir(path)) files.push(...(await filesIn(join(path, name))));
  return files;
}
