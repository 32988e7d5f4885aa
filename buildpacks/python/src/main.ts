/** The python buildpack: supply installs Python and the packages, finalize the rest of Django and the start command. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isThere,
  Kept,
  pruneCache,
  readText,
  runHook,
  runSteps,
  type StepContext,
  tellOptions,
  tellWorkers,
} from '../../kit/index.ts';
import { collectStatic, startProcesses } from './django.ts';

import { installPackages } from './install.ts';
import { chooseManager, type Manager } from './manager.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { installPython, installUv, pythonEnv } from './runtime.ts';
import { choosePython, pythonWish } from './version.ts';

/** Options that change what is installed. */
const OPTIONS = /^(PIP_|UV_|STAGER_PYPI|CFLAGS|LDFLAGS|CC$)/;
const INPUTS = [
  'requirements.txt',
  'Pipfile.lock',
  'poetry.lock',
  'uv.lock',
  'pyproject.toml',
  'setup.py',
  'setup.cfg',
  'vendor',
];

async function supply(context: StepContext): Promise<void> {
  const { log, env, dep, cacheDir, dependencies } = context;
  const manager = await chooseManager(context.buildDir);
  await tellOptions(context, OPTIONS_OF_OTHERS);
  if (await isThere(join(context.buildDir, 'nltk.txt'))) {
    log.warning(
      'nltk.txt is ignored: its data comes from no package registry. Add the folder nltk_data to the app.',
    );
  }
  log.step('Installing Python');
  const python = choosePython(context, await pythonWish(context.buildDir));
  await runHook('pre_compile', context);
  const kept = await keptInstallation(context, manager, python.version);
  if ((await kept.restore({ python: dep.at('python'), bin: dep.at('bin') })) === true) {
    log.info('Using the packages of the last staging: lock files and options are the same');
    dependencies.use(python);
    dependencies.use(context.choose('uv'));
  } else {
    await installPython(context, python);
    await installPackages(context, manager, await installUv(context));
    for (const name of ['uv', 'requirements.txt']) await rm(dep.at(name), { recursive: true, force: true });
    await kept.keep({ python: dep.at('python'), bin: dep.at('bin') });
    await pruneCache(cacheDir, ['uv'], {
      log,
      limit: env['PYTHON_CACHE_LIMIT_MB'],
      variable: 'PYTHON_CACHE_LIMIT_MB',
    });
  }
  Object.assign(env, pythonEnv(context));
  await runHook('post_compile', context);
  const script = await readFile(join(context.buildpackDir, 'profile/python.sh'), 'utf8');
  await dep.writeProfile('python.sh', script.replaceAll('@IDX@', dep.idx));
}

async function finalize(context: StepContext): Promise<void> {
  await collectStatic(context);
  const processes = await startProcesses(context);
  await context.dep.writeLaunch(processes);
  for (const { command } of processes) context.log.info(`web: ${command} (a Procfile wins)`);
  if (processes.some(({ command }) => command.startsWith('gunicorn')))
    tellWorkers(context.log, 'gunicorn workers', {
      eachMb: 256,
      at: '256 MB each, at most 2 a processor and one',
    });
  if (processes.length === 0 && !(await isThere(join(context.buildDir, 'Procfile')))) {
    context.log.warning('Nothing says how to start the app. Add a Procfile, such as: web: python server.py');
  }
}

/** Where the app's own code is installed too, all of it counts. */
async function keptInstallation(context: StepContext, manager: Manager, version: string): Promise<Kept> {
  const { buildDir, env } = context;
  const text = (await readText(buildDir, 'requirements.txt')) ?? '';
  const whole = ['project', 'uv'].includes(manager.name) || /^\s*(-|\.|\/|file:)|@\s*file:/m.test(text);
  const options = Object.entries(env).filter(([name]) => OPTIONS.test(name));
  return await Kept.of(context.cacheDir, 'python', {
    facts: [context.version, version, env['CF_STACK'], process.arch, manager, options.sort()],
    paths: whole ? [buildDir] : INPUTS.map((name) => join(buildDir, name)),
    leaveOut: ['.git', '__pycache__'],
  });
}

void runSteps({ supply, finalize });
