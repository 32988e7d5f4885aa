/** Gems: from vendor/cache where it has all of them, else from RubyGems or its mirror. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  isOffline,
  isThere,
  run,
  type StepContext,
  tellLockDrift,
} from '../../kit/index.ts';
import { homeOf, type Lock, type LockedGem, missingGemsOfLock, type RubyApp } from './lock.ts';
import { BUNDLER_VERSION, rubyEnv } from './runtime.ts';

const MACHINE = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';

/** What runs the gems: MRI, or JRuby, whose gems with native code have builds of their own. */
export type Engine = 'ruby' | 'jruby';

/** @throws BuildpackFailure when the lock has no gems for this machine. */
export function demandPlatform(lock: Lock, file: string, engine: Engine): void {
  const platform = engine === 'jruby' ? 'java' : MACHINE;
  const ours = engine === 'jruby' ? /^(universal-)?java\b/ : new RegExp(`^${MACHINE}`);
  if (lock.platforms.some((name) => name === 'ruby' || ours.test(name))) return;
  throw new BuildpackFailure(
    `${file} is for ${lock.platforms.join(', ') || 'no platform'}, not for ${platform}`,
    {
      next: `Run bundle lock --add-platform ${platform} and commit the file.`,
    },
  );
}

/** Locked gems that vendor/cache lacks; undefined when the app has none there. */
export async function missingGems(dir: string, app: RubyApp, engine: Engine): Promise<string[] | undefined> {
  const names = await readdir(join(homeOf(dir, app), 'vendor/cache')).catch(() => []);
  const files = new Set(names.filter((name) => name.endsWith('.gem')));
  if (files.size === 0) return undefined;
  const gems = app.lock?.gems ?? [];
  const forMachine = ({ name, version }: LockedGem): boolean => {
    if (engine === 'ruby')
      return (
        !/-(x86|x64|arm|aarch|universal|java|mingw|mswin)/.test(version) || version.includes(`-${MACHINE}`)
      );
    if (version.includes('-')) return version.endsWith('-java');
    return !gems.some((other) => other.name === name && other.version === `${version}-java`);
  };
  return gems
    .filter(forMachine)
    .map(({ name, version }) => `${name}-${version}`)
    .filter((name) => !files.has(`${name}.gem`));
}

/** What Bundler is told, while staging and at run time; places below `deps`. */
export function bundleSettings(
  context: Pick<StepContext, 'env' | 'dep'>,
  app: RubyApp,
): Record<string, string> {
  return {
    BUNDLE_WITHOUT: context.env['BUNDLE_WITHOUT'] ?? 'development:test',
    ...(app.lock === undefined ? {} : { BUNDLE_DEPLOYMENT: 'true' }),
    // Where the gems are by deployment is the app; ours are beside it.
    BUNDLE_PATH: context.dep.at('vendor_bundle'),
    // The app's own .bundle/config is that of somebody's machine.
    BUNDLE_APP_CONFIG: context.dep.at('bundle'),
    BUNDLE_SILENCE_ROOT_WARNING: 'true',
  };
}

/** The environment of `bundle` while staging. */
export async function bundleEnv(
  context: StepContext,
  app: RubyApp,
): Promise<Record<string, string | undefined>> {
  const { buildDir, env } = context;
  const mirror = env['STAGER_RUBYGEMS_MIRROR'] ?? '';
  return {
    ...rubyEnv(context),
    ...bundleSettings(context, app),
    ...(mirror === '' ? {} : { 'BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/': mirror }),
    BUNDLE_GEMFILE: join(buildDir, app.gemfile),
    BUNDLE_JOBS: '4',
    BUNDLE_RETRY: env['BUNDLE_RETRY'] ?? '2',
    // Otherwise Bundler fetches the one that wrote the lock.
    BUNDLER_VERSION: await bundlerVersion(context),
    NOKOGIRI_USE_SYSTEM_LIBRARIES: env['NOKOGIRI_USE_SYSTEM_LIBRARIES'] ?? 'true',
    RAILS_ENV: env['RAILS_ENV'] ?? 'production',
    RACK_ENV: env['RACK_ENV'] ?? 'production',
  };
}

/** Of the Bundler that is installed. */
export async function bundlerVersion({ dep }: Pick<StepContext, 'dep'>): Promise<string> {
  return await readFile(dep.at(BUNDLER_VERSION), 'utf8');
}

/** Runs `bundle install`. */
export async function installGems(context: StepContext, app: RubyApp, engine: Engine): Promise<void> {
  const { buildDir, dep, log } = context;
  if (app.lock === undefined) {
    log.warning(`There is no ${app.lockFile}: the next staging may install other versions.`);
  } else {
    demandPlatform(app.lock, app.lockFile, engine);
  }
  const drift = { lock: app.lockFile, source: app.gemfile, missing: missingGemsOfLock(app) };
  tellLockDrift(log, { ...drift, repair: 'bundle lock' });
  if (await isThere(join(buildDir, '.bundle/config'))) {
    log.warning('.bundle/config of the app is ignored: its settings are those of another machine.');
  }
  if (await isThere(join(buildDir, 'vendor/bundle'))) {
    log.warning('vendor/bundle of the app is ignored: gems are installed again for this machine.');
  }
  const own = await bundlerVersion(context);
  const wrote = app.lock?.bundler;
  if (wrote !== undefined && wrote !== own) log.info(`Bundler ${own} reads the lock that ${wrote} wrote`);
  const missing = await missingGems(buildDir, app, engine);
  const local = missing?.length === 0;
  if (missing !== undefined && missing.length > 0) {
    const more = missing.length > 10 ? ` and ${missing.length - 10} more` : '';
    log.warning(
      `vendor/cache lacks ${missing.slice(0, 10).join(', ')}${more}; they come from RubyGems or its mirror.`,
    );
  }
  const argv = ['install', ...(local || isOffline() ? ['--local'] : [])];
  log.info(`$ bundle ${argv.join(' ')}`);
  await run([dep.at('bin/bundle'), ...argv], {
    cwd: homeOf(buildDir, app),
    env: await bundleEnv(context, app),
    next: local
      ? 'See the output above. A gem with C code needs a compiler in the stack, or its build for this machine in vendor/cache.'
      : 'See the output above. Where rubygems.org is out of reach, name a mirror in STAGER_RUBYGEMS_MIRROR or BUNDLE_MIRROR__…, or run ' +
        'bundle cache --all-platforms and add vendor/cache to the app. A gem with C code needs a compiler in the stack.',
  });
  await settle(context, engine);
}

/** Programs of gems begin with the place of Ruby while staging; archives of gems are of no use any more. */
async function settle({ dep }: StepContext, engine: Engine): Promise<void> {
  const engines = dep.at('vendor_bundle', engine);
  for (const version of await readdir(engines).catch(() => [])) {
    await rm(join(engines, version, 'cache'), { recursive: true, force: true });
    const bin = join(engines, version, 'bin');
    for (const name of await readdir(bin).catch(() => [])) {
      const text = await readFile(join(bin, name), 'utf8');
      await writeFile(join(bin, name), text.replace(/^#!.*\bj?ruby[\d.]*.*\n/, '#!/usr/bin/env ruby\n'));
    }
  }
}
