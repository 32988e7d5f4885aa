/** A package that lost the file that loading it needs, as after a .cfignore with dist/ or lib/. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere } from '../../kit/index.ts';

/** What a package.json says of it. */
export interface EntryPoints {
  readonly main?: string | undefined;
  readonly types?: string | undefined;
  readonly exports?: unknown;
}

/** Whether the file that loading it would need is not there. Packages of types only have none and need none. */
export async function isHollow(dir: string, { main, types, exports }: EntryPoints): Promise<boolean> {
  if (exports !== undefined) {
    const targets = targetsOf(exports);
    return targets.length > 0 && !(await someFile(targets.map((target) => join(dir, target))));
  }
  if (main === undefined || main === '' || main.endsWith('.d.ts')) return false;
  const path = join(dir, main);
  const forms = [
    path,
    `${path}.js`,
    `${path}.json`,
    `${path}.node`,
    `${path}/index.js`,
    join(dir, 'index.js'),
  ];
  if ((await someFile(forms)) || (await isThere(join(path, 'package.json')))) return false;
  // As it was published: declarations beside a main that never existed.
  return types === undefined || !(await isThere(join(dir, types)));
}

/** Files that exports names, whatever the condition; patterns aside. */
function targetsOf(exports: unknown): string[] {
  if (typeof exports === 'string') return exports.includes('*') ? [] : [exports];
  return typeof exports === 'object' && exports !== null ? Object.values(exports).flatMap(targetsOf) : [];
}

async function someFile(paths: readonly string[]): Promise<boolean> {
  for (const path of paths) if ((await kindOf(path)) === 'file') return true;
  return false;
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  return facts.isDirectory() ? 'directory' : 'file';
}
