/** What a Cargo app is made of: its manifest, its lock, its options, and what is refused. */
import { glob, readdir, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, isThere, readText, readToml } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';
import { type Locked, parseLock } from './lock.ts';

/** An app that this buildpack can build. */
export interface RustApp {
  /** Where Cargo.toml lies. */
  readonly dir: string;
  /** The manifest at the top, and those of the workspace's members. */
  readonly packages: readonly RustPackage[];
  readonly lock: readonly Locked[];
  /** Sources come from a folder of the app, as `.cargo/config.toml` says. */
  readonly vendored: boolean;
  readonly options: RustOptions;
  /** The profile `release` says something about stripping. */
  readonly strips: boolean;
}

/** One Cargo.toml. */
export interface RustPackage {
  readonly file: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  /** `rust-version`, the lowest that it builds with. */
  readonly atLeast: string | undefined;
  /** Names of the crates that it asks for, as the lock has them. */
  readonly wants: readonly string[];
}

/** What variables ask for. */
export interface RustOptions {
  readonly flags: readonly string[];
  /** Programs by name; none: all of them. */
  readonly binaries: readonly string[];
  readonly members: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

const inherited = z.union([z.string(), z.object({ workspace: z.literal(true) })]).optional();
const crates = z.record(z.string(), z.unknown()).optional();
const tables = {
  dependencies: crates,
  'build-dependencies': crates,
  'dev-dependencies': crates,
};
const shared = z.object({ version: z.string().optional(), 'rust-version': z.string().optional() }).optional();
const manifestSchema = z.looseObject({
  package: z.looseObject({ name: z.string(), version: inherited, 'rust-version': inherited }).optional(),
  workspace: z
    .looseObject({
      members: z.array(z.string()).optional(),
      exclude: z.array(z.string()).optional(),
      package: shared,
      dependencies: crates,
    })
    .optional(),
  ...tables,
  target: z.record(z.string(), z.looseObject(tables)).optional(),
  profile: z.object({ release: z.looseObject({ strip: z.unknown() }).optional() }).optional(),
});
type CargoToml = z.infer<typeof manifestSchema>;

const configSchema = z.object({
  source: z
    .record(
      z.string(),
      z.looseObject({ directory: z.string().optional(), 'replace-with': z.string().optional() }),
    )
    .optional(),
});

/** Flags that would change where the result lies, or how it is read. */
const OWN_FLAGS = /^--(message-format|target-dir|manifest-path|artifact-dir|out-dir)(=|$)/;

/** @throws BuildpackFailure for what can't be built, with the way out. */
export async function readRustApp(buildDir: string, env: Env): Promise<RustApp> {
  const dir = await folderOf(buildDir, env);
  const top = await readCargoToml(dir, 'Cargo.toml');
  if (top === undefined) {
    throw new BuildpackFailure('there is no Cargo.toml', {
      next: 'Stage the folder that has it, or name that folder in BUILD_PATH. A new package begins with: cargo init.',
    });
  }
  if (top.package === undefined && top.workspace === undefined) {
    throw new BuildpackFailure('Cargo.toml has neither a [package] nor a [workspace]', {
      next: 'Stage the folder that has the package, with all of its files (see .cfignore).',
    });
  }
  const packages = [toPackage(top, 'Cargo.toml', top), ...(await membersOf(dir, top))];
  const text = await readText(dir, 'Cargo.lock');
  if (text === undefined) {
    throw new BuildpackFailure('Cargo.lock is missing', {
      next: 'Run cargo generate-lockfile and commit Cargo.lock together with Cargo.toml; look whether .gitignore or .cfignore leaves it out.',
    });
  }
  return {
    dir,
    packages,
    lock: parseLock(text),
    vendored: await isVendored(dir),
    options: optionsOf(env, packages),
    strips: top.profile?.release?.strip !== undefined,
  };
}

async function folderOf(buildDir: string, env: Env): Promise<string> {
  const path = normalize(env['BUILD_PATH'] || '.');
  if (path.startsWith('..') || path.startsWith('/')) {
    throw new BuildpackFailure(`BUILD_PATH is ${path}, which is outside the app`);
  }
  if (await isThere(join(buildDir, path))) return join(buildDir, path);
  throw new BuildpackFailure(`BUILD_PATH is ${path}, which does not exist in the app`, {
    next: 'Name the folder with Cargo.toml relative to the top of the app.',
  });
}

async function readCargoToml(dir: string, name: string): Promise<CargoToml | undefined> {
  const value = await readToml(dir, name);
  if (value === undefined) return undefined;
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BuildpackFailure(`${name} is not valid:\n${wrongShapes(parsed.error, value, name).join('\n')}`);
}

function toPackage(toml: CargoToml, file: string, top: CargoToml): RustPackage {
  const own = (key: 'version' | 'rust-version'): string | undefined => {
    const value = toml.package?.[key];
    return typeof value === 'object' ? top.workspace?.package?.[key] : value;
  };
  const parts = [toml, ...Object.values(toml.target ?? {})];
  const listed = parts.flatMap((part) => [
    part.dependencies,
    part['build-dependencies'],
    part['dev-dependencies'],
  ]);
  const wants = listed.flatMap((table) =>
    Object.entries(table ?? {}).map(([name, value]) => realName(name, value, top)),
  );
  return {
    file,
    name: toml.package?.name,
    version: own('version'),
    atLeast: own('rust-version'),
    wants: [...new Set(wants)],
  };
}

const renamed = z.object({ package: z.string().optional(), workspace: z.boolean().optional() });

/** `sql = { package = "sqlx" }` is sqlx. */
function realName(name: string, value: unknown, top: CargoToml): string {
  const { data } = renamed.safeParse(value);
  if (data?.package !== undefined) return data.package;
  if (data?.workspace !== true) return name;
  return renamed.safeParse(top.workspace?.dependencies?.[name]).data?.package ?? name;
}

async function membersOf(dir: string, top: CargoToml): Promise<RustPackage[]> {
  const found: RustPackage[] = [];
  const left = new Set((top.workspace?.exclude ?? []).map(normalize));
  for (const pattern of top.workspace?.members ?? []) {
    const names = /[*?[]/.test(pattern) ? await matching(dir, pattern) : [normalize(pattern)];
    for (const name of names) {
      if (left.has(name) || name === '.') continue;
      const file = join(name, 'Cargo.toml');
      const toml = await readCargoToml(dir, file);
      if (toml !== undefined) found.push(toPackage(toml, file, top));
      else if (!/[*?[]/.test(pattern)) {
        throw new BuildpackFailure(`Cargo.toml has the member ${pattern}, where there is no Cargo.toml`, {
          next: 'Stage the folder of the workspace with all of its members (see .cfignore), or correct members.',
        });
      }
    }
  }
  return found;
}

async function matching(dir: string, pattern: string): Promise<string[]> {
  const found: string[] = [];
  for await (const name of glob(pattern, { cwd: dir })) {
    if ((await stat(join(dir, name))).isDirectory()) found.push(name);
  }
  return found.sort();
}

/** @throws BuildpackFailure when the folder that Cargo is told to use is not there. */
async function isVendored(dir: string): Promise<boolean> {
  const name = (await isThere(join(dir, '.cargo/config.toml'))) ? '.cargo/config.toml' : '.cargo/config';
  const config = configSchema.safeParse((await readToml(dir, name)) ?? {}).data;
  const sources = config?.source ?? {};
  const by = sources['crates-io']?.['replace-with'];
  const folder = by === undefined ? undefined : sources[by]?.directory;
  if (folder === undefined) return false;
  const crate = (await readdir(join(dir, folder)).catch(() => [])).length > 0;
  if (crate) return true;
  throw new BuildpackFailure(`${name} takes crates from ${folder}/, which is empty or missing`, {
    next: `Run cargo vendor and stage all of ${folder}/ (see .cfignore), or remove the source from ${name}.`,
  });
}

function optionsOf(env: Env, packages: readonly RustPackage[]): RustOptions {
  const words = (name: string): string[] => env[name]?.split(/[\s,]+/).filter(Boolean) ?? [];
  const flags = env['RUST_CARGO_BUILD_FLAGS']?.split(/\s+/).filter(Boolean) ?? [];
  for (const flag of flags) {
    if (!OWN_FLAGS.test(flag)) continue;
    throw new BuildpackFailure(`RUST_CARGO_BUILD_FLAGS has ${flag}, which the buildpack decides`, {
      next: 'Leave it out; BUILD_PATH names the folder with Cargo.toml.',
    });
  }
  const members = words('BP_CARGO_WORKSPACE_MEMBERS');
  const names = packages.flatMap(({ name }) => name ?? []);
  const unknown = members.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new BuildpackFailure(`BP_CARGO_WORKSPACE_MEMBERS has ${unknown}, which is no package of the app`, {
      next: `There are ${names.join(', ') || 'none'}.`,
    });
  }
  const binaries = words('RUST_BINARIES');
  const option = binaries.find((name) => !/^\w[\w-]*$/.test(name));
  if (option !== undefined) {
    throw new BuildpackFailure(`RUST_BINARIES has "${option}", which is not the name of a program`, {
      next: 'Options of cargo build belong in RUST_CARGO_BUILD_FLAGS.',
    });
  }
  return { flags, binaries, members };
}
