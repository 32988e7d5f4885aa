/** The layers that a buildpack for Cloud Foundry becomes, and what they tell other buildpacks and the launcher. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../failure.ts';

/** Directory of `deps/<idx>` → the variables that it goes in front of: while building, and at the launch. */
const SEARCHED = [
  ['bin', ['PATH'], ['PATH']],
  ['lib', ['LD_LIBRARY_PATH', 'LIBRARY_PATH'], ['LD_LIBRARY_PATH', 'LIBRARY_PATH']],
  ['include', ['CPATH'], []],
  ['pkgconfig', ['PKG_CONFIG_PATH'], []],
] as const;

/** Where all of ours are, for those that come later; one directory for each, in their order. */
export const DEPS_LIST = 'STAGER_DEPS';

/** The layer of one buildpack. */
export interface CfLayer {
  /** `deps` in it is DEPS_DIR. */
  readonly root: string;
  /** Index of the buildpack in DEPS_DIR. */
  readonly idx: string;
}

/** DEPS_DIR of a layer. */
export const depsOf = ({ root }: Pick<CfLayer, 'root'>): string => join(root, 'deps');

/** Writes `env.build` and `env.launch` of the layer for what lies in `deps/<idx>`. */
export async function writeEnvironment(
  layer: CfLayer,
  { isFinal }: { readonly isFinal: boolean },
): Promise<void> {
  const own = join(depsOf(layer), layer.idx);
  const build = new Map<string, string>();
  const launch = new Map<string, string>([['DEPS_DIR.override', depsOf(layer)]]);
  // Cloud Foundry tells the port, other platforms may not.
  if (isFinal) launch.set('PORT.default', '8080');
  for (const [folder, atBuild, atLaunch] of SEARCHED) {
    const path = join(own, folder);
    if (!(await isDirectory(path))) continue;
    for (const name of atBuild) inFront(build, name, path);
    for (const name of atLaunch) inFront(launch, name, path);
  }
  for (const name of await namesIn(join(own, 'env'))) {
    build.set(`${name}.override`, await readFile(join(own, 'env', name), 'utf8'));
  }
  build.set(`${DEPS_LIST}.append`, own);
  build.set(`${DEPS_LIST}.delim`, ':');
  for (const [folder, files] of [
    ['env.build', build],
    ['env.launch', launch],
  ] as const) {
    await mkdir(join(layer.root, folder), { recursive: true });
    for (const [file, value] of files) await writeFile(join(layer.root, folder, file), value);
  }
}

function inFront(files: Map<string, string>, name: string, path: string): void {
  files.set(`${name}.prepend`, path);
  files.set(`${name}.delim`, ':');
}

/** Names of what is in a directory; none when it is none. */
export async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** Whether there is a directory; links are followed. */
export async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
