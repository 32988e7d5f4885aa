/** The php buildpack: supply installs PHP, its extensions and packages, finalize the web server in front of it. */
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  checkNginx,
  isThere,
  Kept,
  output,
  pruneCache,
  readText,
  runHook,
  runSteps,
  type StepContext,
  tellOptions,
  tellWorkers,
} from '../../kit/index.ts';
import { composerInstall, tellDrift, vendored } from './composer.ts';
import { iniFiles, wantedExtensions } from './extensions.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { installPhp, MEMORY_LIMIT } from './runtime.ts';
import { installWebServer, writeServerConf } from './server.ts';
import { readSettings, type Settings, tellIgnored, webRoot } from './settings.ts';
import { choosePhp } from './version.ts';

const OPTIONS = /^(COMPOSER|STAGER_COMPOSER)/;

/** Of Heroku's and Paketo's buildpacks. */

async function supply(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, env, log, isLast } = context;
  await runHook('pre_compile', context);
  const settings = await readSettings(buildDir, env);
  await tellIgnored(buildDir, settings, context);
  await tellOptions(context, OPTIONS_OF_OTHERS);
  log.step('Installing PHP');
  const php = choosePhp(context, settings);
  const wanted = await wantedExtensions(buildDir, settings);
  const server = isLast ? (settings.options.WEB_SERVER ?? 'nginx') : 'none';
  const carried = await vendored(buildDir, settings);
  const installs = settings.composer !== undefined && !carried.complete;
  const kept = await Kept.of(cacheDir, 'php', {
    facts: [
      ...[
        context.version,
        php.uri,
        [...wanted.keys()].sort(),
        server,
        installs,
        env['CF_STACK'],
        process.arch,
      ],
      ...[
        settings.options,
        Object.entries(env)
          .filter(([name]) => OPTIONS.test(name))
          .sort(),
      ],
    ],
    paths: ['composer.json', 'composer.lock', '.bp-config'].map((name) => join(buildDir, name)),
  });
  const result = { deps: dep.path, ...(installs ? { vendor: join(buildDir, settings.vendorDir) } : {}) };
  const again = (await kept.restore(result)) === true;
  if (again) {
    log.info('Using PHP of the last staging: composer.lock and options are the same');
    context.dependencies.useAll(await dep.readInstalled());
  } else {
    await installPhp(context, php, wanted);
    if (server !== 'none') await installWebServer(context, server);
  }
  await packages(context, settings, { carried, again });
  if (!again && !(installs && hasLocalPackages(settings))) {
    await dep.writeInstalled(context.dependencies.installed);
    await kept.keep(result);
  }
  await runHook('post_compile', {
    ...context,
    env: { ...env, PATH: `${dep.at('bin')}:${env['PATH'] ?? ''}` },
  });
  await dep.writeProfile(
    'php.sh',
    `export PHP_EXTENSION_DIR="${dep.atRunTime('php/modules')}"\nexport PHPRC="${dep.atRunTime('php/etc')}"\n`,
  );
}

/** Composer, unless the app carries all of its packages. */
async function packages(
  context: StepContext,
  settings: Settings,
  state: {
    readonly carried: { readonly complete: boolean; readonly missing: readonly string[] };
    readonly again: boolean;
  },
): Promise<void> {
  const { log, env, cacheDir } = context;
  if (settings.composer === undefined) return;
  log.step('Installing packages (Composer)');
  await tellDrift(context, settings.lock);
  const { complete, missing } = state.carried;
  if (complete) return log.info(`Using ${settings.vendorDir}/: it has all packages of composer.lock`);
  if (missing.length > 0) log.info(`${settings.vendorDir}/ lacks ${missing.slice(0, 10).join(', ')}`);
  if (state.again && Object.keys(settings.composer.scripts).length === 0) {
    return log.info('Using the packages of the last staging');
  }
  await composerInstall(context, settings);
  await pruneCache(cacheDir, ['composer'], {
    log,
    limit: env['COMPOSER_CACHE_LIMIT_MB'],
    variable: 'COMPOSER_CACHE_LIMIT_MB',
  });
}

/** Packages in folders of the app may change while the lock stays as it is. */
function hasLocalPackages({ composer }: Settings): boolean {
  return JSON.stringify(composer?.repositories ?? '').includes('"path"');
}

async function finalize(context: StepContext): Promise<void> {
  const { buildDir, buildpackDir, dep, env, log } = context;
  const settings = await readSettings(buildDir, env);
  const server = settings.options.WEB_SERVER ?? 'nginx';
  if (server === 'none')
    return dep.writeLaunch([{ type: 'web', command: await ownStart(buildDir, settings) }]);
  const root = await webRoot(buildDir, settings);
  log.step(`Configuring ${server} and PHP-FPM`);
  log.info(`Document root: ${root === '.' ? 'the app' : root}`);
  if (!(await holdsPages(join(buildDir, root)))) {
    log.warning('The document root has neither index.php nor index.html; WEBDIR names another one.');
  }
  const toCheck = await writeServerConf(context, server, root);
  await copyFpmFiles(context);
  await copyFile(join(buildpackDir, 'dist/serve.sh'), dep.at('serve.sh'));
  await copyFile(join(buildpackDir, 'profile/start-php'), dep.at('bin/start-php'));
  await chmod(dep.at('bin/start-php'), 0o755);
  // PHP is asked while nginx reads its configuration.
  const [limit] = await Promise.all([
    memoryLimit(context),
    toCheck &&
      checkNginx(context, dep.at('bin/start-php'), 'Correct .bp-config/nginx/server-locations.conf.'),
  ]);
  tellMemory(context, limit);
  await dep.writeLaunch([{ type: 'web', command: 'start-php' }]);
}

async function holdsPages(dir: string): Promise<boolean> {
  return (await isThere(join(dir, 'index.php'))) || (await isThere(join(dir, 'index.html')));
}

/** .bp-config/php/fpm.d: more lines for the pool. */
async function copyFpmFiles({ buildDir, dep, log }: StepContext): Promise<void> {
  await mkdir(dep.at('etc/fpm.d'), { recursive: true });
  const folder = '.bp-config/php/fpm.d';
  for (const name of await readdir(join(buildDir, folder)).catch(() => [])) {
    if (!name.endsWith('.conf')) continue;
    const text = (await readText(buildDir, `${folder}/${name}`)) ?? '';
    await writeFile(dep.at('etc/fpm.d', name), text.replaceAll(/[@#](\{HOME\})/g, '$$$1'));
    log.info(`Using ${folder}/${name}`);
  }
}

/** Starting PHP to ask takes as long as all else: it is asked only where something of the app may say another one. */
async function memoryLimit({ buildDir, dep, env }: StepContext): Promise<string> {
  const texts = await Promise.all((await iniFiles(buildDir)).map((file) => readText(buildDir, file)));
  const elsewhere = env['PHPRC'] ?? env['PHP_INI_SCAN_DIR'];
  if (elsewhere === undefined && !texts.some((text) => /memory_limit/i.test(text ?? ''))) return MEMORY_LIMIT;
  const argv = [dep.at('bin/php'), '-r', 'echo ini_get("memory_limit");'] as const;
  return (await output(argv, { cwd: buildDir, env })).stdout.trim();
}

/** How many children fit, by the rule of start-php. */
function tellMemory({ log }: StepContext, limit: string): void {
  const [, amount = '', unit = ''] = /^(\d+)([MG]?)$/i.exec(limit) ?? [];
  if (amount === '') return;
  const each = Number(amount) * (unit.toUpperCase() === 'G' ? 1024 : 1);
  tellWorkers(log, 'PHP-FPM children', { eachMb: each, at: `memory_limit ${limit}` });
}

async function ownStart(dir: string, { options }: Settings): Promise<string> {
  if (options.APP_START_CMD !== undefined) return options.APP_START_CMD;
  for (const name of ['app', 'main', 'run', 'start']) {
    if (await isThere(join(dir, `${name}.php`))) return `php ${name}.php`;
  }
  throw new BuildpackFailure('WEB_SERVER is none, and nothing says what to start', {
    next: 'Set APP_START_CMD, add a Procfile, or name the program app.php, main.php, run.php or start.php.',
  });
}

void runSteps({ supply, finalize });
