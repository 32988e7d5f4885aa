/** Installing dependencies, building the app, taking build-time dependencies out again. */
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  output,
  run,
  type StepContext,
  tellLockDrift,
} from '../../kit/index.ts';
import {
  BUILD_SCRIPTS,
  completeCommand,
  type InstallPlan,
  installCommand,
  managerEnv,
  pruneCommand,
  rebuildCommand,
  scriptCommand,
} from './commands.ts';
import { listed } from './complete.ts';
import { carriesPackages, hollowPackages, missingDependencies } from './installed.ts';
import { KeptModules } from './kept-modules.ts';
import { missingInLock } from './lock-drift.ts';
import { readLock } from './lock-file.ts';
import type { Manager } from './manager.ts';
import type { PackageCache } from './package-cache.ts';
import type { App } from './package-json.ts';
import { runsScripts, SeenPackages } from './seen-packages.ts';

/** With them, a manager takes a partly filled node_modules for a complete one. */
const STATE_FILES = ['.package-lock.json', '.yarn-integrity', '.yarn-state.yml', '.modules.yaml'];
const OFFLINE_MIRROR = 'npm-packages-offline-cache';

/** Runs prebuild script, install (or rebuild), build script and pruning, in the app's directory. */
export async function buildApp(
  context: StepContext,
  app: App,
  { manager, packages }: { readonly manager: Manager; readonly packages: Pick<PackageCache, 'open'> },
): Promise<void> {
  const { log, env } = context;
  const policy = productionPolicy(context.env);
  const building = BUILD_SCRIPTS.some((name) => app.json.scripts[name] !== undefined);
  const plan: InstallPlan = {
    manager,
    dev: policy === 'keep-dev' || (policy === 'prune' && building),
    cacheDir: context.cacheDir,
    offlineMirror: app.files.has(OFFLINE_MIRROR) ? `${app.dir}/${OFFLINE_MIRROR}` : undefined,
  };
  Object.assign(env, managerEnv(plan, context.dep.at('node')), await linkerEnv(context, app, plan));
  const start = async (argv: Argv, next?: string): Promise<void> => {
    log.info(`$ ${argv.join(' ')}`);
    await packages.open();
    await run(argv, { cwd: app.dir, env, ...(next === undefined ? {} : { next }) });
  };
  const script = async (name: string): Promise<void> => {
    log.step(`Running the ${name} script`);
    await start(
      scriptCommand(manager, name),
      `The script ${name} of package.json failed; see its output above.`,
    );
  };

  if (await runsScripts(app, manager)) await SeenPackages.forget(context.cacheDir);
  if (app.json.scripts['heroku-prebuild'] !== undefined) await script('heroku-prebuild');
  const vendored = await prepare(context, app, { plan, start });

  const build = ['heroku-postbuild', 'build'].find((name) => app.json.scripts[name] !== undefined);
  if (build !== undefined) await script(build);
  if (plan.dev && policy === 'prune' && !vendored && Object.keys(app.json.devDependencies).length > 0) {
    await prune(context, plan, start);
  }
  if (app.json.scripts['heroku-cleanup'] !== undefined) await script('heroku-cleanup');
}

type Start = (argv: Argv, next?: string) => Promise<void>;
type Policy = 'prune' | 'keep-dev' | 'never-dev';

/** NODE_ENV other than production keeps devDependencies; NPM_CONFIG_PRODUCTION says it outright. */
export function productionPolicy(env: Readonly<Record<string, string | undefined>>): Policy {
  const stated = env['NPM_CONFIG_PRODUCTION'] ?? env['npm_config_production'];
  if (stated === 'true') return 'never-dev';
  if (stated === 'false') return 'keep-dev';
  return env['NODE_ENV'] === 'production' ? 'prune' : 'keep-dev';
}

async function install(context: StepContext, app: App, plan: InstallPlan, start: Start): Promise<void> {
  const { manager } = plan;
  context.log.step(`Installing dependencies (${manager.lock ?? 'package.json'})`);
  if (manager.lock === undefined) {
    context.log.warning(
      'There is no lock file: the next staging may install other versions. Commit the one that your package manager writes.',
    );
  }
  const lock = manager.lock === undefined ? '' : await readLock(app, manager.lock);
  if (manager.lock !== undefined) {
    const missing = missingInLock(manager, app.json, lock);
    const repair = `${manager.name === 'npm' ? 'npm' : 'yarn'} install`;
    tellLockDrift(context.log, { lock: manager.lock, source: 'package.json', missing, repair });
  }
  const advice =
    manager.lock === undefined
      ? 'See the output above; a native module needs a compiler and python3 in the stack.'
      : `See the output above. If ${manager.lock} does not match package.json, install locally and commit it; ` +
        'a native module needs a compiler and python3 in the stack.';
  const seen = (await runsScripts(app, manager)) ? undefined : new SeenPackages(plan, lock);
  const cached = (await seen?.areEnough()) === true ? ['--prefer-offline'] : [];
  await start([...installCommand(plan), ...cached], advice);
  await seen?.add();
}

/**
 * Installs or puts back what was, or rebuilds what the app carries. A node_modules without packages is as good as none; a partly filled one
 * gets what it lacks. Whether the app carries everything.
 */
async function prepare(
  context: StepContext,
  app: App,
  { plan, start }: { readonly plan: InstallPlan; readonly start: Start },
): Promise<boolean> {
  const { log } = context;
  if (!(await carriesPackages(app.dir))) {
    // What is left of it (state files of the manager) would pass for an installation.
    await rm(join(app.dir, 'node_modules'), { recursive: true, force: true });
    const kept = await KeptModules.of(context, app, plan);
    if ((await kept?.restore()) === true) return false;
    kept?.begin();
    await install(context, app, plan, start);
    await kept?.keep();
    return false;
  }
  await KeptModules.forget(context);
  for (const { dir, what } of await hollowPackages(app)) {
    const fault = what === 'main file' ? 'not there' : 'not JSON';
    log.warning(`The ${what} of ${relative(app.dir, dir)} is ${fault}: the package is installed again.`);
    await rm(dir, { recursive: true, force: true });
  }
  const missing = await missingDependencies(app, { versions: true });
  if (missing.length > 0) {
    log.warning(`node_modules of the app lacks ${missing.length} of its dependencies:\n${listed(missing)}`);
    log.step('Installing what node_modules lacks');
    for (const name of STATE_FILES) await rm(join(app.dir, 'node_modules', name), { force: true });
    await start(
      completeCommand(plan),
      'Install locally and stage all of node_modules, or put it into .cfignore.',
    );
  }
  log.step('Rebuilding native modules (the app carries node_modules)');
  if (missing.length === 0) {
    log.info('Nothing is installed. To install from the lock file, put node_modules into .cfignore.');
  }
  await start(rebuildCommand(plan.manager), 'A native module needs a compiler and python3 in the stack.');
  return missing.length === 0;
}

async function prune(context: StepContext, plan: InstallPlan, start: Start): Promise<void> {
  context.log.step('Removing devDependencies');
  try {
    await start(pruneCommand(plan));
  } catch (error) {
    // Yarn 2 and 3 need a plugin for it. The app works all the same, only larger.
    if (plan.manager.name !== 'berry' || !(error instanceof BuildpackFailure)) throw error;
    context.log.warning('devDependencies stay in the droplet: this Yarn lacks the workspace-tools plugin.');
  }
}

/** Plug'n'Play runs from the cache, so the cache has to be in the app; a mirror of it stays in CACHE_DIR. */
async function linkerEnv(context: StepContext, app: App, plan: InstallPlan): Promise<Record<string, string>> {
  if (plan.manager.name !== 'berry') return {};
  const asked = await output(['yarn', 'config', 'get', 'nodeLinker'], { cwd: app.dir, env: context.env });
  if (asked.stdout.trim() !== 'pnp') return {};
  return { YARN_ENABLE_GLOBAL_CACHE: 'false', YARN_ENABLE_MIRROR: 'true' };
}
