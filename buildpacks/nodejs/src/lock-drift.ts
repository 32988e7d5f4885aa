/** Dependencies of package.json that its lock file lacks. npm and Yarn 1 say so after a minute, Yarn 1 without naming any. */
import { satisfies, valid, validRange } from 'semver';
import { parseNpmLock } from './lock-file.ts';
import type { Manager } from './manager.ts';
import type { PackageJson } from './package-json.ts';

/** `name@range` of each; pnpm compares by itself, at once. */
export function missingInLock(
  { name: manager }: Pick<Manager, 'name'>,
  json: Pick<
    PackageJson,
    'dependencies' | 'devDependencies' | 'optionalDependencies' | 'workspaces' | 'resolutions'
  >,
  lock: string,
): string[] {
  const wanted = Object.entries({
    ...json.devDependencies,
    ...json.optionalDependencies,
    ...json.dependencies,
  });
  if (manager === 'pnpm') return [];
  // Yarn 1 does not lock packages of a workspace, and resolutions have other ranges.
  if (manager !== 'npm' && (json.workspaces.length > 0 || json.resolutions !== undefined)) return [];
  const has = manager === 'npm' ? inNpmLock(lock) : inYarnLock(lock);
  return wanted.filter(([name, range]) => !has(name, range)).map(([name, range]) => `${name}@${range}`);
}

type Has = (name: string, range: string) => boolean;

function inNpmLock(text: string): Has {
  const lock = parseNpmLock(text);
  return (name, range) => {
    const entry =
      lock?.packages === undefined ? lock?.dependencies?.[name] : lock.packages[`node_modules/${name}`];
    if (entry === undefined) return false;
    const { version } = entry;
    // Aliases, folders, addresses and tags are npm's to judge.
    if (version === undefined || valid(version) === null || validRange(range) === null) return true;
    return satisfies(version, range, { includePrerelease: true });
  };
}

function inYarnLock(text: string): Has {
  const keys = new Set(
    [...text.matchAll(/^"?([^\s#"][^"\n]*?)"?:$/gm)].flatMap(([, key = '']) =>
      key.split(/",? *"?|, /).map((one) => one.replaceAll('"', '').trim()),
    ),
  );
  // Ranges that resolutions replace, or that are no plain ones, are Yarn's to judge.
  return (name, range) =>
    keys.has(`${name}@${range}`) ||
    keys.has(`${name}@npm:${range}`) ||
    (validRange(range) === null && [...keys].some((key) => key.startsWith(`${name}@`)));
}
