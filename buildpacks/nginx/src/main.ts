/** The nginx buildpack: supply installs nginx and prepares the app's configuration, finalize has nginx check it. */
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import {
  BuildpackFailure,
  checkNginx,
  installNginx,
  installOnce,
  isThere,
  runHook,
  runSteps,
  type StepContext,
  tellOptions,
} from '../../kit/index.ts';
import { type Config, readConfig } from './config.ts';
import { installModules } from './modules.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { chooseNginx, readSettings, type Settings, tellIgnored } from './settings.ts';
import { demandForeground, demandPort, modulesOf, templateOf, withDefaults } from './template.ts';

/** How each module is loaded, as `installModules` says it. */
const loadsSchema = z.array(z.tuple([z.string(), z.string()]));

/** Of Paketo's buildpack. */

async function supply(context: StepContext): Promise<void> {
  const { buildDir, dep, log, isLast } = context;
  await runHook('pre_compile', context);
  const settings = await readSettings(buildDir);
  await tellIgnored(context);
  await tellOptions(context, OPTIONS_OF_OTHERS);
  const config = await readConfig(buildDir);
  const has = config.files.size > 0;
  if (!has && isLast) {
    throw new BuildpackFailure('there is no nginx.conf at the top of the app', {
      next: 'Add one with listen {{port}}; or name this buildpack before another one, which then finds nginx on PATH.',
    });
  }
  if (has) {
    demandPort(config);
    demandForeground(config);
  }
  log.step('Installing nginx');
  const nginx = chooseNginx(context, settings.version);
  const modules = modulesOf(config);
  const own = [...modules.keys()].map((name) => join(buildDir, `modules/${name}.so`));
  await installOnce(
    context,
    { name: 'nginx', facts: [nginx.uri, [...modules.keys()]], paths: own },
    async () => {
      await installNginx(context, nginx, dep.at('nginx'));
      const loads = await installModules(context, nginx, modules);
      await writeFile(dep.at('modules.json'), JSON.stringify([...loads]));
      await writeWrapper(context);
    },
  );
  const loads = new Map(loadsSchema.parse(JSON.parse(await readFile(dep.at('modules.json'), 'utf8'))));
  if (has) await prepare(context, config, { settings, loads });
  await runHook('post_compile', context);
}

/** nginx with its own libraries, which no other program is to see. */
async function writeWrapper({ dep }: StepContext): Promise<void> {
  await mkdir(dep.at('bin'), { recursive: true });
  const script =
    '#!/bin/sh\nhere=$(cd "$(dirname "$0")/../nginx" && pwd -P)\n' +
    'LD_LIBRARY_PATH="$here/lib" exec "$here/sbin/nginx" "$@"\n';
  await writeFile(dep.at('bin/nginx'), script, { mode: 0o755 });
  await dep.writeProfile('nginx.sh', `export NGINX_MODULES="${dep.atRunTime('nginx/modules')}"\n`);
}

/** Templates go to deps/<idx>/templates; the start writes them to their places, at every start. */
async function prepare(
  context: StepContext,
  config: Config,
  from: { readonly settings: Settings; readonly loads: ReadonlyMap<string, string> },
): Promise<void> {
  const { buildDir, buildpackDir, dep, log } = context;
  log.step('Preparing the configuration');
  for (const [file, text] of config.files) {
    const choices = { plain: from.settings.plain, loadModule: (name: string) => from.loads.get(name) ?? '' };
    const path = dep.at('templates', file);
    await mkdir(dirname(path), { recursive: true });
    // Defaults first: their places are those of the text as it is.
    await writeFile(path, templateOf(withDefaults(text, file, config), file, choices));
  }
  await writeFile(dep.at('templates.list'), [...config.files.keys()].map((name) => `${name}\n`).join(''));
  log.info(`Filled in at each start: ${[...config.files.keys()].join(', ')}`);
  const asksForTypes = config.directives.some(
    ({ name, args }) => name === 'include' && args[0] === 'mime.types',
  );
  if (asksForTypes && !(await isThere(join(buildDir, 'mime.types')))) {
    log.info("mime.types is nginx's own: the app has none");
    await copyFile(dep.at('nginx/conf/mime.types'), join(buildDir, 'mime.types'));
  }
  if (!config.directives.some(({ name }) => name === 'access_log')) {
    log.info('There is no access_log: requests are logged to stdout');
  }
  await copyFile(join(buildpackDir, 'dist/serve.sh'), dep.at('serve.sh'));
  await copyFile(join(buildpackDir, 'profile/start-nginx'), dep.at('bin/start-nginx'));
  await chmod(dep.at('bin/start-nginx'), 0o755);
}

async function finalize(context: StepContext): Promise<void> {
  const { dep, log } = context;
  log.step('Checking the configuration');
  await checkNginx(context, dep.at('bin/start-nginx'), 'Correct the file and line that it names.');
  await dep.writeLaunch([{ type: 'web', command: 'start-nginx' }]);
}

void runSteps({ supply, finalize });
