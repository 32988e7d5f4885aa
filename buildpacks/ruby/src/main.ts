/** The ruby buildpack: supply installs Ruby and the gems, finalize makes assets and says what is started. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere, Kept, runHook, runSteps, type StepContext, tellIgnoredVariables } from '../../kit/index.ts';
import { bundleEnv, bundlerVersion, installGems } from './bundle.ts';
import { has, homeOf, type RubyApp, readRubyApp } from './lock.ts';
import { precompileAssets, startProcesses } from './rails.ts';
import { installRuby } from './runtime.ts';
import { chooseRuby, rubyWish } from './version.ts';

const OPTIONS = /^(BUNDLE_|STAGER_RUBYGEMS|NOKOGIRI|CFLAGS|LDFLAGS|CC$)/;

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
const IGNORED = {
  BP_MRI_VERSION: 'write the version into the Gemfile or .ruby-version',
  BP_BUNDLER_VERSION: "Debian's Bundler reads any lock",
  BP_RAILS_ASSETS_EXTRA_SOURCE_PATHS: 'assets are made again when app/, lib/, vendor/ or config/ changed',
  BP_RAILS_ASSETS_EXTRA_DESTINATION_PATHS: 'only public/assets is kept',
  BUNDLER_WITHOUT: 'its name is BUNDLE_WITHOUT',
  JRUBY_OPTS: 'there is no JRuby',
  JAVA_MEM: 'there is no JRuby',
} as const;

async function supply(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, env, log } = context;
  await runHook('pre_compile', context);
  tellIgnoredVariables(context, IGNORED);
  const app = await readRubyApp(buildDir, env);
  log.step('Installing Ruby');
  const ruby = chooseRuby(context, await rubyWish(buildDir, app));
  const home = homeOf(buildDir, app);
  const kept = await Kept.of(cacheDir, 'ruby', {
    facts: [
      ...[context.version, ruby.uri, env['CF_STACK'], process.arch, app],
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
    await installRuby(context, ruby);
    log.step('Installing gems');
    await installGems(context, app);
    await dep.writeInstalled(context.dependencies.installed);
    // Gems in folders of the app may change while the lock stays as it is; without a lock anything may.
    if (app.lock !== undefined && app.lock.others.length === 0) await kept.keep({ deps: dep.path });
  }
  Object.assign(env, await bundleEnv(context, app));
  await runHook('post_compile', context);
  await writeRunTime(context, app);
}

/** profile.d: what Bundler and frameworks are told at run time; what the app sets wins. */
async function writeRunTime(context: StepContext, app: RubyApp): Promise<void> {
  const { buildpackDir, dep } = context;
  const script = await readFile(join(buildpackDir, 'profile/ruby.sh'), 'utf8');
  const text = script
    .replaceAll('@IDX@', dep.idx)
    .replaceAll('@GEMFILE@', app.gemfile)
    .replaceAll('@BUNDLER@', await bundlerVersion(context))
    .replaceAll('@DEPLOYMENT@', app.lock === undefined ? '' : 'true')
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
