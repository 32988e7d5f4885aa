/** Variables of Cloud Native Buildpacks: the platform's, and those of layers (buildpack-contracts.md 5.6). */
import type { CnbHome } from './cnb-home.ts';

/** A mutable environment. */
export type CnbEnvironment = Map<string, string>;

/** Kept from whoever builds; nothing else of its environment is. */
const LISTS: ReadonlySet<string> = new Set([
  'PATH',
  'LD_LIBRARY_PATH',
  'LIBRARY_PATH',
  'CPATH',
  'PKG_CONFIG_PATH',
]);

/** Files of the directories of a layer → the list that their directory goes in front of. */
const ROOTS = [
  ['bin', ['PATH'], ['PATH']],
  ['lib', ['LD_LIBRARY_PATH', 'LIBRARY_PATH'], ['LD_LIBRARY_PATH']],
  ['include', ['CPATH'], []],
  ['pkgconfig', ['PKG_CONFIG_PATH'], []],
] as const;

/** User-provided variables over `env`: path lists are put in front, others replace. */
export function withPlatform(
  env: CnbEnvironment,
  platform: Readonly<Record<string, string>>,
): CnbEnvironment {
  const result = new Map(env);
  for (const [name, value] of Object.entries(platform)) {
    const old = result.get(name);
    result.set(name, LISTS.has(name) && old !== undefined && old !== '' ? `${value}:${old}` : value);
  }
  return result;
}

/** The directories of a layer that programs look for things in. */
export async function addLayerRoots(
  env: CnbEnvironment,
  { home, layer }: { readonly home: CnbHome; readonly layer: string },
  when: 'build' | 'launch',
): Promise<void> {
  for (const [directory, atBuild, atLaunch] of ROOTS) {
    const path = `${layer}/${directory}`;
    if (!(await home.isDirectory(path))) continue;
    for (const name of when === 'build' ? atBuild : atLaunch) {
      const old = env.get(name);
      env.set(name, old === undefined || old === '' ? path : `${path}:${old}`);
    }
  }
}

/** One file of an `env` directory. */
export interface EnvFile {
  readonly file: string;
  readonly value: string;
}

/** Applies files by their suffixes, in the order of their names. Content is taken as it is, newline and all. */
export function applyEnvFiles(env: CnbEnvironment, files: readonly EnvFile[]): void {
  const delims = new Map(
    files
      .filter(({ file }) => file.endsWith('.delim'))
      .map(({ file, value }) => [file.slice(0, -'.delim'.length), value]),
  );
  const sorted = files.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  for (const { file, value } of sorted) {
    const dot = file.lastIndexOf('.');
    const [name, action] = dot === -1 ? [file, 'override'] : [file.slice(0, dot), file.slice(dot + 1)];
    const old = env.get(name) ?? '';
    const delim = old === '' ? '' : (delims.get(name) ?? '');
    if (action === 'override') env.set(name, value);
    else if (action === 'default') env.set(name, old === '' ? value : old);
    else if (action === 'append') env.set(name, old + delim + value);
    else if (action === 'prepend') env.set(name, value + delim + old);
  }
}

/** The files of an `env` directory; none when it is not there. Directories in it are skipped. */
export async function readEnvFiles(home: CnbHome, directory: string): Promise<readonly EnvFile[]> {
  const files: EnvFile[] = [];
  for (const { name, isDirectory } of await home.names(directory)) {
    const value = isDirectory ? undefined : await home.text(`${directory}/${name}`);
    // No variable of a process can hold one.
    if (value?.includes('\0') === false) files.push({ file: name, value });
  }
  return files;
}
