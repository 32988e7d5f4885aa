/**
 * Which dependencies of an app are there: the walk that Node does when the app asks for them, without starting it.
 * From each package the names in its package.json are looked for in node_modules beside it and above it, up to the
 * app; links are followed first, as Node does. System calls are synchronous, since nothing else runs in a buildpack's
 * process, and each package.json is read once.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { satisfies, valid, validRange } from 'semver';
import { z } from 'zod';
import { errnoOf, isThere } from '../../kit/index.ts';
import { isHollow } from './hollow.ts';
import type { App } from './package-json.ts';
import { changesPackages, leftOut, replacesVersions, workspacesOf } from './workspaces.ts';

/** A dependency that the app could not load. */
export interface Missing {
  readonly name: string;
  /** What is asked for: a range, a path. */
  readonly spec: string;
  /** Who asks: package.json of the app, of a workspace, or a package. */
  readonly asker: string;
  /** What is there instead; absent for nothing. */
  readonly why?: string;
}

const strings = z.record(z.string(), z.string().catch('')).catch({});
/** Published packages hold anything; only what can be followed is. */
const lenient = z.object({
  version: z.string().optional().catch(undefined),
  main: z.string().optional().catch(undefined),
  types: z.string().optional().catch(undefined),
  exports: z.unknown().optional(),
  dependencies: strings.default({}),
  optionalDependencies: strings.default({}),
  peerDependencies: strings.default({}),
  peerDependenciesMeta: z
    .record(z.string(), z.object({ optional: z.boolean().optional() }).catch({}))
    .catch({})
    .default({}),
});
type Lenient = z.output<typeof lenient>;

interface Package {
  readonly dir: string;
  readonly json: Lenient;
  readonly asker: string;
}

/** Whether node_modules holds a package at all: an empty one, or one with caches only, is as good as none. */
export async function carriesPackages(dir: string): Promise<boolean> {
  for (const name of await namesIn(join(dir, 'node_modules'))) {
    const path = join(dir, 'node_modules', name);
    if (name === '.pnpm') return true;
    if (name.startsWith('.')) continue;
    const inside = name.startsWith('@') ? (await namesIn(path)).map((one) => join(path, one)) : [path];
    for (const one of inside) if (await isThere(join(one, 'package.json'))) return true;
  }
  return false;
}

/**
 * What the walk from the app and its workspaces does not find. Optional packages are excused, with all they need.
 *
 * @param options `versions`: a package of another version than is asked for counts as missing, unless the app says that
 *   it replaces versions.
 */
export async function missingDependencies(
  app: App,
  options: { readonly versions?: boolean } = {},
): Promise<readonly Missing[]> {
  return (await lookThrough(app, options)).missing;
}

/** What {@link missingDependencies} says, and from the same walk required peers that the app can't load. */
export interface Looked {
  readonly missing: readonly Missing[];
  /** Nobody but the app can say whether it needs them. */
  unmetPeers(): Promise<readonly Missing[]>;
}

/** See {@link missingDependencies}. */
export async function lookThrough(app: App, options: { readonly versions?: boolean } = {}): Promise<Looked> {
  const root = await realpath(app.dir);
  const versions = options.versions === true && !(await replacesVersions(app));
  const found = new Walk(root, { excused: await leftOut(app), versions });
  await found.fromApp(app);
  if (!changesPackages(app)) return { missing: found.missing, unmetPeers: () => found.unmetPeers() };
  // What a package asks for is then not what its package.json says.
  const own = found.missing.filter(({ asker }) => asker.endsWith('package.json'));
  return { missing: own, unmetPeers: async () => [] };
}

/** A package of node_modules that can't be loaded. */
export interface Hollow {
  readonly dir: string;
  readonly what: 'main file' | 'package.json';
}

/** Packages whose main file is gone, as after a .cfignore with dist/ or lib/, or whose package.json is not JSON. */
export async function hollowPackages(app: App): Promise<Hollow[]> {
  const root = await realpath(app.dir);
  const found = new Walk(root, { excused: new Set(), versions: false });
  await found.from({ dir: root, json: lenient.parse(app.json), asker: 'package.json' });
  const hollow: Hollow[] = [...found.unreadable].map((dir) => ({ dir, what: 'package.json' }));
  for (const [dir, json] of found.packages) {
    // A workspace or a file: dependency is the app's own, and may be built later.
    if (dir.includes('/node_modules/') && (await isHollow(dir, json)))
      hollow.push({ dir, what: 'main file' });
  }
  return hollow;
}

class Walk {
  readonly missing: Missing[] = [];
  /** Packages by their real directory. */
  readonly packages = new Map<string, Lenient>();
  /** Directories of packages whose package.json is not JSON, with which Node ends. */
  readonly unreadable = new Set<string>();
  readonly #root: string;
  readonly #rules: { readonly excused: ReadonlySet<string>; readonly versions: boolean };
  /** By directory. */
  readonly #read = new Map<string, Lenient | 'unreadable' | undefined>();

  constructor(root: string, rules: { readonly excused: ReadonlySet<string>; readonly versions: boolean }) {
    this.#root = root;
    this.#rules = rules;
  }

  async fromApp(app: App): Promise<void> {
    await this.from({ dir: this.#root, json: lenient.parse(app.json), asker: 'package.json' });
    for (const member of await workspacesOf(app)) {
      const dir = join(this.#root, member);
      const json = this.#package(dir);
      if (typeof json === 'object') await this.from({ dir, json, asker: `${member}/package.json` });
    }
  }

  async unmetPeers(): Promise<Missing[]> {
    const unmet: Missing[] = [];
    for (const [dir, { peerDependencies, peerDependenciesMeta }] of this.packages) {
      for (const [name, spec] of Object.entries(peerDependencies)) {
        if (peerDependenciesMeta[name]?.optional === true || this.#rules.excused.has(name)) continue;
        const found = await this.#find(dir, { name, spec });
        const asker = dir.slice(dir.lastIndexOf('/node_modules/') + '/node_modules/'.length);
        if (typeof found === 'string') unmet.push({ name, spec, asker });
      }
    }
    return unmet;
  }

  async from(start: Package): Promise<void> {
    const open = [start];
    for (let here = open.pop(); here !== undefined; here = open.pop()) {
      for (const [name, spec] of Object.entries(here.json.dependencies)) {
        if (Object.hasOwn(here.json.optionalDependencies, name) || this.#rules.excused.has(name)) continue;
        const found = await this.#find(here.dir, { name, spec });
        if (typeof found === 'string') {
          this.missing.push({ name, spec, asker: here.asker, ...(found !== '' && { why: found }) });
        } else if (!this.packages.has(found.dir)) {
          this.packages.set(found.dir, found.json);
          open.push({ ...found, asker: name });
        }
      }
    }
  }

  /** The package, or why there is none: nothing to say where nothing is there. */
  async #find(
    from: string,
    { name, spec }: { readonly name: string; readonly spec: string },
  ): Promise<{ dir: string; json: Lenient } | string> {
    let why = '';
    for (let dir = from; this.#isInside(dir); dir = dirname(dir)) {
      if (dir.endsWith('/node_modules')) continue;
      const path = join(dir, 'node_modules', name);
      const json = this.#package(path);
      if (json === 'unreadable') {
        this.unreadable.add(path);
        return 'its package.json is not JSON';
      }
      if (json === undefined) {
        if (await isThere(join(path, 'index.js'))) return { dir: path, json: lenient.parse({}) };
        continue;
      }
      const real = realpathSync(path);
      if (!this.#isInside(real)) why = 'it is a link out of the app';
      else if (this.#rules.versions && isOther(spec, json.version)) return `version ${json.version} is there`;
      else return { dir: real, json };
    }
    return why;
  }

  #package(dir: string): Lenient | 'unreadable' | undefined {
    if (!this.#read.has(dir)) this.#read.set(dir, readPackage(dir));
    return this.#read.get(dir);
  }

  #isInside(dir: string): boolean {
    return dir === this.#root || dir.startsWith(`${this.#root}/`);
  }
}

/** Whether a version is outside of the range that is asked for; paths, addresses and tags say nothing of versions. */
function isOther(spec: string, version: string | undefined): boolean {
  const range = spec.replace(/^npm:@?[^@]+@/, '');
  if (version === undefined || valid(version) === null || validRange(range) === null) return false;
  return !satisfies(version, range, { includePrerelease: true });
}

function readPackage(dir: string): Lenient | 'unreadable' | undefined {
  const path = join(dir, 'package.json');
  try {
    // Most are looked for in places where they are not.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    return lenient.safeParse(JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return 'unreadable';
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch(() => []);
}
