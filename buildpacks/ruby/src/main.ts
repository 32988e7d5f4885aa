/** The ruby buildpack: supply installs Ruby and the gems, finalize makes assets and says what is started. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere, Kept, runHook, runSteps, type StepContext, tellOptions } from '../../kit/index.ts';
import { bundleEnv, bundlerVersion, type Engine, installGems } from './bundle.ts';
import { chooseJRuby, installJRuby } from './jruby.ts';
import { has, homeOf, type RubyApp, readRubyApp } from './lock.ts';
import { JRUBY_OPTIONS, OPTIONS_OF_OTHERS } from './options.ts';
import { precompileAssets, startProcesses } from './rails.ts';
import { installRuby } from './runtime.ts';
import { chooseRuby, rubyWish } from './version.ts';

const OPTIONS = /^(BUNDLE_|STAGER_RUBYGEMS|NOKOGIRI|CFLAGS|LDFLAGS|CC$|JRUBY_OPTS$)/;

/** By profile/ruby.sh: three fifths of the memory. */
const HEAPS = [512, 768, 1024, 2048].map((mb) => `${mb}M: ${Math.floor((mb * 3) / 5)}M`).join(', ');

async function supply(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, env, log } = context;
  await runHook('pre_compile', context);
  const app = await readRubyApp(buildDir, env);
  const wish = await rubyWish(buildDir, app);
  const { engine } = wish;
  await tellOptions(context, engine === 'jruby' ? JRUBY_OPTIONS : OPTIONS_OF_OTHERS);
  log.step('Installing Ruby');
  const ruby = engine === 'jruby' ? await chooseJRuby(context, wish) : chooseRuby(context, wish);
  const home = homeOf(buildDir, app);
  const kept = await Kept.of(cacheDir, 'ruby', {
    facts: [
      ...[
        context.version,
        ruby.uri,
        engine === 'jruby' ? env['JAVA_HOME'] : '',
        env['CF_STACK'],
        process.arch,
        app,
      ],
      Object.entries(env)
        .filter(([name]) => OPTIONS.test(name))
        .sort(),
    ],
    paths: [join(home, 'vendor/cache')],
  });
  if ((await kept.restore({ deps: dep.path })) === true) {
    log.info('Using Ruby and the gems of the last staging: the lock and options are the same');
    context.dependencies.useAll(await dep.readInstalled());
  } else {
    if (engine === 'jruby') await installJRuby(context, ruby);
    else await installRuby(context, ruby);
    log.step('Installing gems');
    await installGems(context, app, engine);
    await dep.writeInstalled(context.dependencies.installed);
    // Gems in folders of the app may change while the lock stays as it is; without a lock anything may.
    if (app.lock !== undefined && app.lock.others.length === 0) await kept.keep({ deps: dep.path });
  }
  Object.assign(env, await bundleEnv(context, app));
  await runHook('post_compile', context);
  await writeRunTime(context, app, engine);
  if (engine === 'jruby') log.info(`Heap of JRuby: ${HEAPS} (JAVA_MEM sets another one)`);
}

/** profile.d: what Bundler and frameworks are told at run time; what the app sets wins. */
async function writeRunTime(context: StepContext, app: RubyApp, engine: Engine): Promise<void> {
  const { buildpackDir, dep } = context;
  const script = await readFile(join(buildpackDir, 'profile/ruby.sh'), 'utf8');
  const text = script
    .replaceAll('@IDX@', dep.idx)
    .replaceAll('@GEMFILE@', app.gemfile)
    .replaceAll('@BUNDLER@', await bundlerVersion(context))
    .replaceAll('@DEPLOYMENT@', app.lock === undefined ? '' : 'true')
    .replaceAll('@JRUBY@', engine === 'jruby' ? 'true' : '')
    .replaceAll('@RAILS@', has(app, 'railties') ? 'true' : '');
  await dep.writeProfile('ruby.sh', text);
}

async function finalize(context: StepContext): Promise<void> {
  const { buildDir, dep, env, log } = context;
  const app = await readRubyApp(buildDir, env);
  await precompileAssets(context, app);
  const processes = await startProcesses(buildDir, app);
  await dep.writeLaunch(processes);
  for (const { type, command } of processes)
    if (type === 'web') log.info(`web: ${command} (a Procfile wins)`);
  if (processes.length === 0 && !(await isThere(join(buildDir, 'Procfile')))) {
    log.warning(
      'Nothing says how to start the app. Add a Procfile, such as: web: bundle exec ruby server.rb',
    );
  }
}

void runSteps({ supply, finalize });
