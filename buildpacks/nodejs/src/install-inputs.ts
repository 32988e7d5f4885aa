/** What an installation follows from: with all of it unchanged, installing again would give the same packages. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, Kept, type StepContext, stackLibc } from '../../kit/index.ts';
import type { InstallPlan } from './commands.ts';
import { type App, readText } from './package-json.ts';
import { workspacesOf } from './workspaces.ts';

/** Scripts that managers run while they install. */
export const LIFECYCLE = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
  'pnpm:devPreinstall',
];
/** Settings and what they name, in the app; the lock file besides. */
const SETTINGS = [
  '.npmrc',
  '.yarnrc',
  '.yarnrc.yml',
  '.yarn/patches',
  '.yarn/plugins',
  '.yarn/releases',
  '.pnpmfile.cjs',
  '.pnpmfile.mjs',
  'pnpm-workspace.yaml',
  'patches',
];
/** Settings of the user; earlier buildpacks may write them. */
const OWN_SETTINGS = ['.npmrc', '.yarnrc', '.yarnrc.yml', '.config/pnpm/rc'];
/** Variables that managers and compilers read; scripts of packages may read any. */
const VARIABLES =
  /^((npm|yarn|pnpm|corepack|node|berry)_\w+|CI|AR|AS|CC|CPP|CXX|LD|PYTHON|MAKEFLAGS|(C|CPP|CXX|LD)FLAGS|CPATH|LIBRARY_PATH|LD_LIBRARY_PATH|PKG_CONFIG_PATH)$/i;
/** Packages that are taken from the app itself. */
const FROM_APP = /\b(file|link|portal|patch|exec):|\binjected\b/;

const withScripts = z.looseObject({ scripts: z.record(z.string(), z.unknown()).catch({}).default({}) });

/** What of a step it takes. */
export type InstallContext = Pick<
  StepContext,
  'cacheDir' | 'dep' | 'dependencies' | 'depsDir' | 'env' | 'log' | 'version'
>;

/** What belongs to the installation of an app whose lock file says which packages it gets. */
export interface InstallInputs {
  /** Keeps what is installed, by all that every installation follows from. */
  readonly kept: Kept;
  /** Whether the app's own scripts run, or parts of it become packages: then all of it counts. */
  readonly readsApp: boolean;
}

/** @param from `lock` is the name of the lock file. */
export async function installInputs(
  context: InstallContext,
  app: App,
  from: { readonly plan: InstallPlan; readonly lock: string },
): Promise<InstallInputs> {
  const { env } = context;
  const { plan, lock } = from;
  const packages = await packagesOf(app);
  const variables = Object.entries(env).filter(([name]) => VARIABLES.test(name));
  const home = env['HOME'] ?? '/';
  const kept = await Kept.of(context.cacheDir, 'node_modules', {
    facts: [
      ...[context.version, env['CF_STACK'], process.arch, stackLibc() ?? ''],
      // Managers write absolute paths into some files.
      ...[app.dir, context.cacheDir],
      ...[plan, context.dependencies.installed, packages, variables.sort()],
    ],
    paths: [
      ...[lock, ...SETTINGS].map((name) => join(app.dir, name)),
      ...OWN_SETTINGS.map((name) => join(home, name)),
      ...(await otherBuildpacks(context)),
    ],
  });
  const texts = [JSON.stringify(packages), (await readText(join(app.dir, lock))) ?? ''];
  return { kept, readsApp: packages.some(runsScripts) || texts.some((text) => FROM_APP.test(text)) };
}

/** What they say of themselves: compilers and the like come from them. */
async function otherBuildpacks({ depsDir, dep }: InstallContext): Promise<string[]> {
  const others = (await readdir(depsDir)).filter((idx) => idx !== dep.idx).sort();
  return others.flatMap((idx) => ['config.yml', 'installed.json'].map((name) => join(depsDir, idx, name)));
}

/** Digest of what scripts can read: the whole app but what the installation itself added, and every variable. */
export async function wholeApp(context: InstallContext, app: App, added: readonly string[]): Promise<string> {
  const facts = [Object.entries(context.env).sort()];
  const from = { facts, paths: [app.dir], leaveOut: ['.git'], except: added };
  return (await Kept.of(context.cacheDir, 'node_modules', from)).key;
}

/** Whether the installation of this package runs something. */
export function hasInstallScript(dir: string): boolean {
  if (existsSync(join(dir, 'binding.gyp'))) return true;
  const file = join(dir, 'package.json');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
  return /"(preinstall|install|postinstall)"\s*:/.test(text);
}

interface PackageInputs {
  readonly at: string;
  /** package.json without scripts that don't run at an installation. */
  readonly json: unknown;
  readonly scripts: readonly (readonly [string, unknown])[];
  readonly compiles: boolean;
}

/** The app and its workspaces. */
async function packagesOf(app: App): Promise<PackageInputs[]> {
  const found: PackageInputs[] = [];
  for (const at of ['.', ...(await workspacesOf(app))]) {
    const dir = join(app.dir, at);
    const { scripts, ...json } = withScripts.parse(await packageJson(dir));
    const names = await readdir(dir);
    found.push({
      at,
      json,
      scripts: Object.entries(scripts).filter(([name]) => LIFECYCLE.includes(name)),
      compiles: names.includes('binding.gyp'),
    });
  }
  return found;
}

/** What can't be read is the manager's to complain of. */
async function packageJson(dir: string): Promise<unknown> {
  try {
    return JSON.parse((await readText(join(dir, 'package.json'))) ?? '{}');
  } catch (error) {
    if (error instanceof SyntaxError || errnoOf(error) === 'ENOTDIR') return {};
    throw error;
  }
}

const runsScripts = ({ scripts, compiles }: PackageInputs): boolean => scripts.length > 0 || compiles;
