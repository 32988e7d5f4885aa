/**
 * Which versions of which packages `npm ci` has brought into npm's cache. Where all that a lock file asks for is either
 * among them or new by its name, npm need not ask the registry whether what it knows of these packages is still all there
 * is (`--prefer-offline`): lock files without addresses make it ask for each of them. What is installed is the
 * same, since each package has its digest in the lock file. A package that is known, of a version that is not, has to be
 * asked for: npm would say that there is none.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BUILD_SCRIPTS, type InstallPlan } from './commands.ts';
import { LIFECYCLE } from './install-inputs.ts';
import { parseNpmLock } from './lock-file.ts';
import { type Manager, mayCompile } from './manager.ts';
import type { App } from './package-json.ts';

/** Names with versions. */
const record = z.record(z.string(), z.array(z.string()));
type Seen = z.output<typeof record>;

const FILE = 'npm-seen.json';

/** Used for one installation from a lock file of npm. */
export class SeenPackages {
  readonly #path: string;
  readonly #wanted: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor({ manager, cacheDir }: Pick<InstallPlan, 'manager' | 'cacheDir'>, lock: string) {
    this.#path = join(cacheDir, FILE);
    this.#wanted = manager.name === 'npm' ? packagesIn(lock) : undefined;
  }

  /** To be called when anything else may start npm with this cache: then nobody knows what it has brought in. */
  static async forget(cacheDir: string): Promise<void> {
    await rm(join(cacheDir, FILE), { force: true });
  }

  /** Whether the registry has nothing to say of what is in the cache. */
  async areEnough(): Promise<boolean> {
    const seen = await this.#read();
    if (this.#wanted === undefined || seen === undefined) return false;
    return [...this.#wanted].every(([name, versions]) => {
      const known = Object.hasOwn(seen, name) ? seen[name] : undefined;
      return known === undefined || [...versions].every((version) => known.includes(version));
    });
  }

  /** To be called after the installation. */
  async add(): Promise<void> {
    if (this.#wanted === undefined) return await rm(this.#path, { force: true });
    const seen = new Map(Object.entries((await this.#read()) ?? {}));
    for (const [name, versions] of this.#wanted) {
      seen.set(name, [...new Set([...(seen.get(name) ?? []), ...versions])].sort());
    }
    const sorted = [...seen].sort(([a], [b]) => (a < b ? -1 : 1));
    await writeFile(this.#path, JSON.stringify(Object.fromEntries(sorted)));
  }

  async #read(): Promise<Seen | undefined> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    try {
      return record.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  }
}

/** Whether an installation, or what is done after it, runs scripts of the app or of packages. */
export async function runsScripts(app: App, manager: Manager): Promise<boolean> {
  const own = [...LIFECYCLE, ...BUILD_SCRIPTS, 'heroku-cleanup'].some(
    (name) => app.json.scripts[name] !== undefined,
  );
  return own || app.json.workspaces.length > 0 || (await mayCompile(app, manager));
}

/** By name; undefined when not all of them are told by a digest. */
function packagesIn(lock: string): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const { packages } = parseNpmLock(lock) ?? {};
  if (packages === undefined) return undefined;
  const found = new Map<string, Set<string>>();
  for (const [path, { name, version, integrity, link, inBundle }] of Object.entries(packages)) {
    if (path === '' || inBundle === true) continue;
    if (version === undefined || integrity === undefined || link === true) return undefined;
    const own = name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    found.set(own, (found.get(own) ?? new Set()).add(version));
  }
  return found;
}
