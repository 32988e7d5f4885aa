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

/** The directories of a layer that programs look for things in, each with the list that it goes in front of. */
export async function layerRoots(
  { home, layer }: { readonly home: CnbHome; readonly layer: string },
  when: 'build' | 'launch',
): Promise<readonly { readonly name: string; readonly path: string }[]> {
  const roots: { name: string; path: string }[] = [];
  for (const [directory, atBuild, atLaunch] of ROOTS) {
    const path = `${layer}/${directory}`;
    if (!(await home.isDirectory(path))) continue;
    for (const name of when === 'build' ? atBuild : atLaunch) roots.push({ name, path });
  }
  return roots;
}

/** Puts {@link layerRoots} in front. */
export async function addLayerRoots(
  env: CnbEnvironment,
  place: { readonly home: CnbHome; readonly layer: string },
  when: 'build' | 'launch',
): Promise<void> {
  for (const { name, path } of await layerRoots(place, when)) {
    const old = env.get(name);
    env.set(name, old === undefined || old === '' ? path : `${path}:${old}`);
  }
}

/** One file of an `env` directory. */
export interface EnvFile {
  readonly file: string;
  readonly value: string;
}

/** What a file of an `env` directory does to a variable; the delimiter stands between it and what was there. */
export interface EnvChange extends Record<'name' | 'value' | 'delim', string> {
  readonly action: 'override' | 'default' | 'append' | 'prepend';
}

const ACTIONS: ReadonlySet<string> = new Set(['override', 'default', 'append', 'prepend']);
const isAction = (text: string): text is EnvChange['action'] => ACTIONS.has(text);

/** Files by their suffixes, in the order of their names. Content is taken as it is, newline and all. */
export function envChanges(files: readonly EnvFile[]): readonly EnvChange[] {
  const delims = new Map(
    files
      .filter(({ file }) => file.endsWith('.delim'))
      .map(({ file, value }) => [file.slice(0, -'.delim'.length), value]),
  );
  const sorted = files.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  return sorted.flatMap(({ file, value }) => {
    const dot = file.lastIndexOf('.');
    const [name, action] = dot === -1 ? [file, 'override'] : [file.slice(0, dot), file.slice(dot + 1)];
    return isAction(action) ? [{ name, value, action, delim: delims.get(name) ?? '' }] : [];
  });
}

/** Applies {@link envChanges}. */
export function applyEnvFiles(env: CnbEnvironment, files: readonly EnvFile[]): void {
  for (const { name, value, action, delim: wanted } of envChanges(files)) {
    const old = env.get(name) ?? '';
    const delim = old === '' ? '' : wanted;
    if (action === 'override') env.set(name, value);
    else if (action === 'default') env.set(name, old === '' ? value : old);
    else if (action === 'append') env.set(name, old + delim + value);
    else env.set(name, value + delim + old);
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
