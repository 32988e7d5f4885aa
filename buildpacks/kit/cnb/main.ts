/**
 * bin/build of a Cloud Native Buildpack that was made of one for Cloud Foundry: supply, and finalize where it is the
 * last, into layers. docs/decisions/both-contracts.md says what becomes what.
 *
 * `cf`     for launch and build: `deps` is DEPS_DIR, with `<idx>` of this buildpack, and links to those of earlier ones;
 *          `app` beside it is the app, as on Cloud Foundry
 * `cache`  kept between builds: CACHE_DIR
 */
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseToml, stringify } from 'smol-toml';
import { z } from 'zod';
import { type Argv, output, run } from '../exec.ts';
import { BuildpackFailure, reasonOf } from '../failure.ts';
import { isThere, readText } from '../files.ts';
import { DepDir } from '../layout.ts';
import { createLog } from '../log.ts';
import type { Env } from '../mirrors.ts';
import { billOf } from './bill.ts';
import { cfEnvironment } from './cf-env.ts';
import { type CfLayer, DEPS_LIST, depsOf, namesIn, writeEnvironment } from './layers.ts';
import { type CfProcess, launchToml, merged, ofLaunchYml, ofProcfile, ofRelease } from './processes.ts';
import { APP_ENTRY, type Role, roleOf } from './role.ts';
import { shareApp } from './share-app.ts';

const Descriptor = z.looseObject({ buildpack: z.looseObject({ id: z.string(), version: z.string() }) });
const log = createLog((line) => process.stdout.write(`${line}\n`));

/** What all steps know. */
interface Build {
  readonly app: string;
  /** The buildpack for Cloud Foundry. */
  readonly cf: string;
  /** This package, with the adapter. */
  readonly root: string;
  readonly layers: string;
  readonly cache: string;
  readonly layer: CfLayer;
  /** DEPS_DIR. */
  readonly deps: string;
  readonly role: Role;
  readonly env: Env;
}

async function main(): Promise<void> {
  const root = given('CNB_BUILDPACK_DIR');
  const { buildpack } = Descriptor.parse(parseToml(await readFile(join(root, 'buildpack.toml'), 'utf8')));
  const plan = parseToml(await readFile(given('CNB_BP_PLAN_PATH'), 'utf8'));
  const layers = given('CNB_LAYERS_DIR');
  const earlier = (process.env[DEPS_LIST] ?? '').split(':').filter((path) => path !== '');
  const layer = { root: join(layers, 'cf'), idx: String(earlier.length) };
  const build: Build = {
    app: process.cwd(),
    cf: join(root, 'cf'),
    root,
    layers,
    cache: join(layers, 'cache'),
    layer,
    deps: depsOf(layer),
    role: roleOf(plan, buildpack.id),
    env: await cfEnvironment(process.env),
  };
  const before = new Set(await readdir(build.app));
  await prepare(build, earlier);
  await runScripts(build);
  await writeEnvironment(layer, build.role);
  await writeLaunch(build, before);
  await writeBill(build, buildpack);
  if (build.role.handsOn) await writeToml(join(layers, 'build.toml'), { unmet: [{ name: APP_ENTRY }] });
  if (build.role.isFinal && !shareApp(build.app))
    log.warning('Not all of the app can be made writable for its group; start scripts may need that.');
  await writeToml(join(layers, 'cf.toml'), { types: { launch: true, build: true } });
  await writeToml(join(layers, 'cache.toml'), { types: { cache: true } });
}

/** DEPS_DIR as Cloud Foundry has it: all of the directories are there before the first supply. */
async function prepare(build: Build, earlier: readonly string[]): Promise<void> {
  const { app, cache, deps, layer, role } = build;
  await mkdir(cache, { recursive: true });
  await rm(layer.root, { recursive: true, force: true });
  await mkdir(join(deps, layer.idx), { recursive: true });
  await symlink(app, join(layer.root, 'app'));
  for (const [index, path] of earlier.entries()) await symlink(path, join(deps, String(index)));
  // A buildpack knows by the directory of the next one that it is not the last.
  if (!role.isFinal) await mkdir(nextOf(build));
}

const nextOf = ({ deps, layer }: Build): string => join(deps, String(Number(layer.idx) + 1));

async function runScripts(build: Build): Promise<void> {
  const { app, cache, cf, deps, env, layer, role } = build;
  const places = [app, cache, deps, layer.idx];
  await script([join(cf, 'bin/supply'), ...places], { cwd: cf, env });
  if (!role.isFinal) {
    await rm(nextOf(build), { recursive: true, force: true });
    return;
  }
  const profile = join(layer.root, 'profile');
  await mkdir(profile);
  await script([join(cf, 'bin/finalize'), ...places, profile], { cwd: cf, env });
  // Search paths are env.launch here, and each buildpack's own profile.d is sourced by its own exec.d.
  for (const name of await namesIn(profile)) if (/^\d+_/.test(name)) await rm(join(profile, name));
}

/** Its own output says why it fails. */
class ScriptFailed extends Error {}

async function script(argv: Argv, options: { readonly cwd: string; readonly env: Env }): Promise<void> {
  await run(argv, options).catch((cause: unknown) => {
    throw new ScriptFailed(reasonOf(cause), { cause });
  });
}

/** Processes, the program that starts them, and exec.d. */
async function writeLaunch(build: Build, before: ReadonlySet<string>): Promise<void> {
  const { app, deps, layer, layers, role, root } = build;
  const facts = {
    APP: app,
    DEPS: deps,
    PROFILE: join(layer.root, 'profile'),
    IDX: layer.idx,
    FINAL: role.isFinal ? 'yes' : 'no',
  };
  await mkdir(join(layer.root, 'exec.d'), { recursive: true });
  await writeScript(join(root, 'adapter/profile.sh'), join(layer.root, 'exec.d/profile'), facts);
  const start = join(layer.root, 'start');
  await writeScript(join(root, 'adapter/start.sh'), start, facts);
  const processes = await processesOf(build);
  for (const { type, sidecarFor = [] } of processes) {
    if (sidecarFor.length > 0)
      log.warning(
        `${type} is a sidecar of ${sidecarFor.join(', ')}; here it is a process type that you start.`,
      );
  }
  if (role.isFinal && processes.length === 0) log.warning('There is no process type. Add a Procfile.');
  // What the buildpack put into the app is a layer of its own: it changes less often than the app.
  const made = (await readdir(app)).filter((name) => !before.has(name) && !/[*?[\]\\]/.test(name));
  await writeToml(join(layers, 'launch.toml'), launchToml(processes, { start, slices: made.sort() }));
}

async function processesOf({ app, cf, deps, env, layer, role }: Build): Promise<readonly CfProcess[]> {
  const launch = await readText(join(deps, layer.idx), 'launch.yml');
  const own = launch === undefined ? [] : ofLaunchYml(launch);
  if (!role.isFinal) return own;
  const procfile = ofProcfile((await readText(app, 'Procfile')) ?? '');
  if (launch !== undefined) return merged(own, procfile);
  const release = join(cf, 'bin/release');
  if (!(await isThere(release))) return procfile;
  const said = await output([release, app], { cwd: cf, env });
  if (!said.ok) throw new BuildpackFailure('bin/release of the buildpack failed');
  return merged(ofRelease(said.stdout), procfile);
}

async function writeBill(
  { deps, layer, layers }: Build,
  buildpack: { id: string; version: string },
): Promise<void> {
  const installed = await new DepDir(deps, layer.idx).readInstalled();
  if (installed.length > 0) await writeFile(join(layers, 'cf.sbom.cdx.json'), billOf(buildpack, installed));
}

/** Fills in a script for bash. */
async function writeScript(from: string, to: string, facts: Readonly<Record<string, string>>): Promise<void> {
  const text = await readFile(from, 'utf8');
  const filled = text.replace(
    /@([A-Z]+)@/g,
    (_, name: string) => `'${(facts[name] ?? '').replaceAll("'", "'\\''")}'`,
  );
  await writeFile(to, filled);
  await chmod(to, 0o755);
}

async function writeToml(path: string, value: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFile(path, `${stringify(value)}\n`);
}

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new BuildpackFailure(`${name} is not set`);
  return value;
}

try {
  await main();
} catch (error) {
  if (error instanceof ScriptFailed) log.debug(error.message);
  else if (error instanceof BuildpackFailure) log.error(error.message);
  else log.error(error instanceof Error ? (error.stack ?? error.message) : reasonOf(error));
  process.exitCode = 1;
}
