/** The frame around a buildpack's supply and finalize: arguments, manifest, overrides, environment, exit code. */
import { readdir, readFile } from 'node:fs/promises';
import { resolve as absolute, join } from 'node:path';
import { BUNDLE_VARIABLE, inBundleMode } from './bundle.ts';
import { Dependencies } from './dependencies.ts';
import { stagingEnv, writeLaunchEnv } from './environment.ts';
import { BuildpackFailure, errnoOf, reasonOf } from './failure.ts';
import { freshnessOf, tellFreshness } from './freshness.ts';
import { DepDir } from './layout.ts';
import { machineFacts } from './libc.ts';
import { createLog, type Log } from './log.ts';
import {
  applyOverride,
  type Dependency,
  defaultRange,
  deprecation,
  groupOf,
  loadManifest,
  type Manifest,
  readYaml,
  resolve,
} from './manifest.ts';
import type { Env } from './mirrors.ts';

/** What a step works with. */
export interface StepContext {
  readonly buildDir: string;
  readonly cacheDir: string;
  readonly depsDir: string;
  readonly profileDir: string;
  readonly buildpackDir: string;
  /** This buildpack's own `deps/<idx>`. */
  readonly dep: DepDir;
  /** The environment with what earlier buildpacks supplied; pass it to tools. Yours to change. */
  readonly env: Record<string, string | undefined>;
  readonly log: Log;
  readonly manifest: Manifest;
  readonly dependencies: Dependencies;
  /** Whether this is the last buildpack, whose finalize will run: the platform makes all of deps/ before the first. */
  readonly isLast: boolean;
  /** VERSION of the buildpack. */
  readonly version: string;
  /**
   * The dependency to install: the highest version in `range` (the manifest's default when undefined) that fits
   * stack, machine and the versions chosen before (`with`). Warns about lines that reach their end of life.
   */
  choose(name: string, range?: string | undefined, chosen?: Readonly<Record<string, string>>): Dependency;
  /** All entries of a `group` that fit stack, machine, its C library and what was chosen before. */
  chooseGroup(group: string, chosen?: Readonly<Record<string, string>>): Dependency[];
}

/** The two steps of a Cloud Foundry v3 buildpack. */
export interface Steps {
  supply?(context: StepContext): Promise<void>;
  finalize?(context: StepContext): Promise<void>;
}

/**
 * Runs the step that argv names: `supply|finalize BUILD_DIR CACHE_DIR DEPS_DIR IDX [PROFILE_DIR]`.
 *
 * Supply starts with a config.yml in place and ends with dropping unused cache entries; after finalize, the launch
 * environment of all buildpacks is written. The only function of the kit that sets the exit code.
 */
export async function runSteps(steps: Steps): Promise<void> {
  const log = createLog((line) => process.stdout.write(`${line}\n`), {
    debug: (process.env['BP_DEBUG'] ?? '') !== '',
  });
  try {
    const [name, ...args] = process.argv.slice(2);
    const step = name === 'supply' ? supply : name === 'finalize' ? finalize : undefined;
    if (step === undefined) throw new BuildpackFailure(`no such step: ${name}`);
    const { [BUNDLE_VARIABLE]: mode, ...env } = process.env;
    const context = await contextOf(args, log, env);
    await inBundleMode(mode, context.cacheDir, () => step(steps, context));
  } catch (error) {
    if (error instanceof BuildpackFailure) {
      log.error(error.next === undefined ? error.message : `${error.message}\n${error.next}`);
    } else {
      log.error(error instanceof Error ? (error.stack ?? error.message) : reasonOf(error));
    }
    process.exitCode = 1;
  }
}

async function supply(steps: Steps, context: StepContext): Promise<void> {
  // Before the step, so that it can write one of its own.
  await context.dep.writeConfig({ name: context.manifest.language, version: context.version });
  await steps.supply?.(context);
  await writeInstalled(context);
  await context.dependencies.prune();
}

/** What was installed, with what is known of newer versions; those that are behind are told. */
async function writeInstalled({ dep, dependencies, env, log, manifest }: StepContext): Promise<void> {
  const fit = { stack: env['CF_STACK'] ?? '', arch: process.arch, with: machineFacts() };
  const all = dependencies.installed.map((it) => ({ ...it, ...freshnessOf(manifest, it, fit) }));
  tellFreshness(log, all, new Date());
  await dep.writeInstalled(all);
}

async function finalize(steps: Steps, context: StepContext): Promise<void> {
  await steps.finalize?.(context);
  await writeLaunchEnv(context.depsDir, context.profileDir);
}

async function contextOf(args: readonly string[], log: Log, given: Env): Promise<StepContext> {
  const [build, cache, deps, idx, profile] = args;
  if (build === undefined || cache === undefined || deps === undefined || idx === undefined) {
    throw new BuildpackFailure('usage: BUILD_DIR CACHE_DIR DEPS_DIR IDX [PROFILE_DIR]');
  }
  const buildpackDir = absolute(process.env['BUILDPACK_DIR'] ?? '.');
  const depsDir = absolute(deps);
  const env = await stagingEnv(depsDir, given);
  const manifest = await withOverrides(await loadManifest(buildpackDir), depsDir);
  const version = await readVersion(buildpackDir);
  log.step(`${manifest.language} buildpack ${version}`);
  const fit = { stack: env['CF_STACK'] ?? '', arch: process.arch };
  return {
    buildDir: absolute(build),
    cacheDir: absolute(cache),
    depsDir,
    profileDir: profile === undefined ? join(absolute(build), '.profile.d') : absolute(profile),
    buildpackDir,
    dep: new DepDir(depsDir, idx),
    env,
    log,
    manifest,
    version,
    isLast: !(await readdir(depsDir)).some((name) => /^\d+$/.test(name) && Number(name) > Number(idx)),
    dependencies: new Dependencies({ buildpackDir, cacheDir: absolute(cache), env, log }),
    choose(name, range, chosen = {}) {
      const wanted = range ?? defaultRange(manifest, name);
      const found = resolve(manifest, name, wanted, { ...fit, with: { ...machineFacts(), ...chosen } });
      const ending = deprecation(manifest, found, new Date());
      if (ending !== undefined) log.warning(ending);
      return found;
    },
    chooseGroup: (group, chosen = {}) =>
      groupOf(manifest, group, { ...fit, with: { ...machineFacts(), ...chosen } }),
  };
}

/** Overrides of other buildpacks, lowest index first, so that a later buildpack has the last word. */
async function withOverrides(manifest: Manifest, depsDir: string): Promise<Manifest> {
  let result = manifest;
  for (const idx of (await readdir(depsDir)).sort()) {
    const path = join(depsDir, idx, 'override.yml');
    const override = await readYaml(path);
    if (override !== undefined) result = applyOverride(result, override, path);
  }
  return result;
}

async function readVersion(buildpackDir: string): Promise<string> {
  try {
    return (await readFile(join(buildpackDir, 'VERSION'), 'utf8')).trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'unknown';
    throw error;
  }
}
