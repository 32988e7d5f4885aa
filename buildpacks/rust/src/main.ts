/** The rust buildpack: supply brings the toolchain, finalize builds the app and leaves only its programs. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isThere,
  Kept,
  pruneCache,
  runHook,
  runSteps,
  type StepContext,
  stagingEnv,
  tellOptions,
} from '../../kit/index.ts';
import { type RustApp, readRustApp } from './app.ts';
import { buildRust, dropPushedTarget, dropSources, linkOldPlace } from './build.ts';
import { CARGO_CACHES } from './cargo.ts';
import { demandLockFits } from './lock.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { pruneCargo } from './prune.ts';
import { chooseRust, installRust } from './toolchain.ts';
import { rustWish } from './version.ts';

const HOOKS = ['pre_compile', 'post_compile'];
/** Different in every staging, or in both steps of one; any other may be compiled in (`env!`). */
const PASSING =
  /^(PATH|LD_LIBRARY_PATH|LIBRARY_PATH|CPATH|PKG_CONFIG_PATH|HOME|PWD|OLDPWD|SHLVL|_|TMPDIR|BUILDPACK_DIR|CARGO_HOME|VCAP_APPLICATION|STAGER_.*)$/;

async function supply(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, env, isLast, log } = context;
  if (!isLast) {
    const wish = await rustWish({ dir: buildDir, packages: [] }, env);
    log.step('Installing Rust');
    await installRust(context, chooseRust(context, wish), wish);
    await dep.writeEnv('CARGO_HOME', join(cacheDir, CARGO_CACHES[0]));
    log.warning(
      'Rust stays in the droplet (420 MB): buildpacks after this one may use it. As the last one, it builds the app.',
    );
    return;
  }
  const app = await readRustApp(buildDir, env);
  demandLockFits(app);
  await tellOptions(context, OPTIONS_OF_OTHERS);
  await dropPushedTarget(context, app);
  log.step('Installing Rust');
  const wish = await rustWish(app, env);
  const toolchain = chooseRust(context, wish);
  const [{ version }] = toolchain;
  await dep.writeConfig({ name: 'rust', version: context.version, config: { RustVersion: version } });
  await writeFile(dep.at('rust-version'), version);
  const kept = await keptBuild(context, app, version);
  // What it was built with may be newer than what the manifest names.
  if ((await kept?.restore({ installed: dep.at('installed.json') })) === true) {
    log.info('Not needed: nothing has changed since the last staging');
    context.dependencies.useAll(await dep.readInstalled());
    return;
  }
  log.info(await installRust(context, toolchain, wish));
}

async function finalize(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, env, log } = context;
  const app = await readRustApp(buildDir, env);
  const kept = await keptBuild(context, app, await readFile(dep.at('rust-version'), 'utf8'));
  const result = { bin: join(buildDir, 'bin'), programs: dep.at('programs') };
  if ((await kept?.restore(result)) === true) {
    log.step('Using the programs of the last staging: sources, lock and options are the same');
  } else {
    Object.assign(env, await stagingEnv(context.depsDir, env));
    await runHook('pre_compile', context);
    const built = await buildRust(context, app);
    await runHook('post_compile', context);
    await writeFile(dep.at('programs'), built.join('\n'));
    await kept?.keep({ ...result, installed: dep.at('installed.json') });
    await pruneCargo(cacheDir, app.lock);
  }
  const [first = '', ...others] = (await readFile(dep.at('programs'), 'utf8')).split('\n');
  const types = others.filter((name) => name !== 'web');
  await dep.writeLaunch([
    { type: 'web', command: `./bin/${first}` },
    ...types.map((name) => ({ type: name, command: `./bin/${name}` })),
  ]);
  await dep.writeProfile('rust.sh', 'export PATH="$PATH:$HOME/bin"\n');
  if (env['RUST_KEEP_SOURCES'] === 'true') log.info('Keeping the sources (RUST_KEEP_SOURCES)');
  else await dropSources(buildDir, app);
  await linkOldPlace(buildDir, [first, ...others]);
  for (const name of ['programs', 'rust-version', 'rust', 'bin']) {
    await rm(dep.at(name), { recursive: true, force: true });
  }
  const limit = { log, limit: env['RUST_CACHE_LIMIT_MB'], variable: 'RUST_CACHE_LIMIT_MB' };
  await pruneCache(cacheDir, CARGO_CACHES, limit);
}

/** Undefined where scripts of the app may do anything. */
async function keptBuild(context: StepContext, app: RustApp, version: string): Promise<Kept | undefined> {
  for (const hook of HOOKS) if (await isThere(join(context.buildDir, 'bin', hook))) return undefined;
  const variables = Object.entries(context.env).filter(([name]) => !PASSING.test(name));
  return await Kept.of(context.cacheDir, 'rust', {
    facts: [context.version, version, process.arch, app.dir.slice(context.buildDir.length), variables.sort()],
    paths: [context.buildDir],
    leaveOut: ['.git'],
  });
}

void runSteps({ supply, finalize });
