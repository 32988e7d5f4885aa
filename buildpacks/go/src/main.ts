/** The go buildpack: supply brings the toolchain for others, finalize builds the app. */
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
import { type GoApp, readGoApp } from './app.ts';
import { buildGo, removeSources } from './build.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { chooseGo, installGo } from './toolchain.ts';
import { goWish } from './version.ts';

/** Options that change what is built. */
const OPTIONS = /^(GO|CGO_|CC$|CXX$|STAGER_GO)/;
const HOOKS = ['bin/go-pre-compile', 'bin/go-post-compile', 'bin/pre_compile', 'bin/post_compile'];

/** Of Paketo's buildpack. */

async function supply(context: StepContext): Promise<void> {
  const { log, env, dep } = context;
  const app = await readGoApp(context.buildDir, env);
  log.step('Installing Go');
  await tellOptions(context, OPTIONS_OF_OTHERS);
  const go = await chooseGo(context, goWish(app, env));
  const kept = await keptBuild(context, app, go.version);
  // The last one builds: when nothing has changed there is nothing to build, and no toolchain is needed.
  if (context.isLast && env['GO_INSTALL_TOOLS_IN_IMAGE'] !== 'true' && (await kept?.isThere()) === true) {
    log.info('Not needed: nothing has changed since the last staging');
    context.dependencies.use(go);
  } else {
    await installGo(context, go);
  }
  await dep.writeConfig({ name: 'go', version: context.version, config: { GoVersion: go.version } });
  await writeFile(dep.at('go-version'), go.version);
  if (env['GO_INSTALL_TOOLS_IN_IMAGE'] === 'true') {
    await dep.writeProfile(
      'goroot.sh',
      `export GOROOT="${dep.atRunTime('go')}"\nexport PATH="$PATH:$GOROOT/bin"\n`,
    );
  }
  if (env['GO_SETUP_GOPATH_IN_IMAGE'] === 'true') {
    log.warning('GO_SETUP_GOPATH_IN_IMAGE is ignored: with modules there is no GOPATH to set up.');
  }
}

async function finalize(context: StepContext): Promise<void> {
  const { log, dep, env, buildDir } = context;
  const app = await readGoApp(buildDir, env);
  const version = await readFile(dep.at('go-version'), 'utf8');
  const kept = await keptBuild(context, app, version);
  const result = { bin: join(buildDir, 'bin'), programs: dep.at('programs') };
  if ((await kept?.restore(result)) === true) {
    log.step('Using the programs of the last staging: sources and options are the same');
  } else {
    Object.assign(env, await stagingEnv(context.depsDir, env));
    for (const name of ['go-pre-compile', 'pre_compile']) await runHook(name, context);
    const programs = await buildGo(context, app);
    for (const name of ['go-post-compile', 'post_compile']) await runHook(name, context);
    await writeFile(dep.at('programs'), programs.join('\n'));
    await kept?.keep(result);
  }
  const [first = ''] = (await readFile(dep.at('programs'), 'utf8')).split('\n');
  await dep.writeLaunch([{ type: 'web', command: `./bin/${first}` }]);
  await dep.writeProfile('go.sh', 'export PATH="$PATH:$HOME/bin"\n');
  await leaveOnlyWhatRuns(context);
}

/** Undefined where scripts of the app may do anything. */
async function keptBuild(context: StepContext, app: GoApp, version: string): Promise<Kept | undefined> {
  for (const hook of HOOKS) if (await isThere(join(app.dir, hook))) return undefined;
  const options = Object.entries(context.env).filter(([name]) => OPTIONS.test(name));
  return await Kept.of(context.cacheDir, 'go', {
    facts: [context.version, version, context.env['CF_STACK'], process.arch, options.sort()],
    paths: [app.dir],
    leaveOut: ['.git'],
  });
}

/** The toolchain is 200 MB that nothing needs at run time. */
async function leaveOnlyWhatRuns(context: StepContext): Promise<void> {
  const { dep, env, log, buildDir, cacheDir } = context;
  for (const name of ['programs', 'go-version', 'go-path'])
    await rm(dep.at(name), { recursive: true, force: true });
  if (env['GO_INSTALL_TOOLS_IN_IMAGE'] !== 'true') {
    for (const name of ['go', 'bin']) await rm(dep.at(name), { recursive: true, force: true });
  }
  if (env['GO_REMOVE_SOURCES'] === 'true') {
    log.info('Removing Go sources (GO_REMOVE_SOURCES)');
    await removeSources(buildDir);
  }
  await pruneCache(cacheDir, ['go-build', 'go-mod', 'go-path'], {
    log,
    limit: env['GO_CACHE_LIMIT_MB'],
    variable: 'GO_CACHE_LIMIT_MB',
  });
}

void runSteps({ supply, finalize });
