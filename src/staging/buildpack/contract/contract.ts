/**
 * What each script of a buildpack is given: names, arguments, paths (buildpack-contracts.md 1.3, 2.2, 4.1).
 * Pure, so that the sandboxed engine and the drop-in builder share it.
 */
import { INSIDE } from '../../workspace/layout.ts';

/** cf-v2: detect, compile, release. cf-v3: supply and finalize as well. heroku: compile with ENV_DIR. */
export type Family = 'cf-v2' | 'cf-v3' | 'heroku';

/** Scripts that the engine starts, below `bin/`. */
export type ScriptName = 'detect' | 'supply' | 'finalize' | 'compile' | 'release' | 'report';

/** The directories that the arguments name. */
export interface ContractPaths {
  readonly buildDir: string;
  readonly cacheDir: string;
  readonly depsDir: string;
  /** Padded, see {@link depsIndex}. */
  readonly index: string;
  readonly profileDir: string;
  readonly envDir: string;
}

/**
 * Arguments of a script. `finalize` gets five, though Cloud Foundry's documents say four; a Cloud Foundry
 * `compile` gets exactly two, since some look at the number.
 */
export function scriptArgs(script: ScriptName, family: Family, paths: ContractPaths): readonly string[] {
  const { buildDir, cacheDir, depsDir, index, profileDir, envDir } = paths;
  switch (script) {
    case 'detect':
    case 'release':
      return [buildDir];
    case 'supply':
      return [buildDir, cacheDir, depsDir, index];
    case 'finalize':
      return [buildDir, cacheDir, depsDir, index, profileDir];
    case 'compile':
      return family === 'heroku' ? [buildDir, cacheDir, envDir] : [buildDir, cacheDir];
    case 'report':
      return [buildDir, cacheDir, envDir];
  }
}

/** Position of a buildpack in an order of `count`, padded with zeros to the digits of `count`. */
export function depsIndex(position: number, count: number): string {
  return String(position).padStart(String(Math.max(count, 1)).length, '0');
}

/** Name of the cache directory of the last buildpack, and of all buildpacks of the Heroku family. */
export const FINAL_CACHE = 'final';

/** Where a family sees the app, and which links its root has. */
export interface FamilyPaths {
  readonly buildDir: string;
  readonly links: Readonly<Record<string, string>>;
}

/**
 * Cloud Foundry: the app at /tmp/app; /app leads to /home/vcap/app as on its stacks, which is empty while
 * staging, so that a script that links below /app never links a directory to itself.
 *
 * Heroku: BUILD_DIR is /app itself, a link to the app on the one mount. Heroku CI builds there as well, so that
 * buildpacks know that they need no links; and what they compile into binaries is right at run time.
 */
const FAMILY_PATHS = {
  cf: { buildDir: INSIDE.app, links: { '/home/vcap': '/tmp/home', '/app': '/tmp/home/app' } },
  heroku: { buildDir: '/app', links: { '/home/vcap': '/tmp/home', '/app': '/tmp/app' } },
} as const satisfies Record<string, FamilyPaths>;

/** The paths of a family. */
export function familyPaths(family: Family): FamilyPaths {
  return family === 'heroku' ? FAMILY_PATHS.heroku : FAMILY_PATHS.cf;
}
