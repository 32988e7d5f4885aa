/** The nodejs buildpack: supply installs Node and builds the app, finalize says how to start it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runSteps, type StepContext, stagingEnv, tellOptions } from '../../kit/index.ts';
import { buildApp } from './build.ts';
import { demandDependencies } from './complete.ts';
import { chooseManager, mayCompile } from './manager.ts';
import { nodeRange } from './node-version.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { PackageCache } from './package-cache.ts';
import { readApp } from './package-json.ts';
import { pnpProfile } from './plug-and-play.ts';
import { dropHeaders, installRuntime } from './runtime.ts';
import { startProcesses } from './start.ts';

async function supply(context: StepContext): Promise<void> {
  const { log, dep, env } = context;
  const app = await readApp(context.buildDir);
  log.step('Installing Node.js');
  await tellOptions(context, OPTIONS_OF_OTHERS);
  const manager = await chooseManager(app, log);
  const headers = await mayCompile(app, manager);
  await installRuntime(context, manager, { range: await nodeRange(app, log), headers });

  const defaults = { NODE_HOME: dep.at('node'), NODE_ENV: env['NODE_ENV'] ?? 'production' };
  for (const [name, value] of Object.entries(defaults)) await dep.writeEnv(name, value);
  Object.assign(env, await stagingEnv(context.depsDir, env));

  const limit = env['NODE_CACHE_LIMIT_MB'];
  const packages = new PackageCache(context.cacheDir, manager.name, { log, limit });
  await buildApp(context, app, { manager, packages });
  await packages.close();
  await dropHeaders(context);
}

async function finalize(context: StepContext): Promise<void> {
  const { dep, log } = context;
  const app = await readApp(context.buildDir);
  const script = await readFile(join(context.buildpackDir, 'profile/nodejs.sh'), 'utf8');
  await dep.writeProfile('nodejs.sh', script.replaceAll('@IDX@', dep.idx) + pnpProfile(app));
  const processes = startProcesses(app);
  await dep.writeLaunch(processes);
  if (processes.length === 0 && !app.files.has('Procfile')) {
    log.warning('Nothing says how to start the app. Add scripts.start, a server.js or a Procfile.');
  }
  if (context.env['NODE_CHECK_DEPENDENCIES'] !== 'false') await demandDependencies(app, context);
}

void runSteps({ supply, finalize });
