/** Packages, whatever the manager: its lock becomes hashed requirements, and uv installs them into Python itself. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  isThere,
  readJson,
  readText,
  readToml,
  registryUrl,
  run,
  type StepContext,
  tellLockDrift,
} from '../../kit/index.ts';
import { missingInPythonLock } from './lock-drift.ts';
import type { Manager } from './manager.ts';
import { fromPipfileLock } from './pipfile.ts';
import { fromPoetryLock } from './poetry.ts';
import { pythonEnv } from './runtime.ts';
import { unfitWheels } from './vendor.ts';

/** Packages of the app go into site-packages of `deps/<idx>/python`. */
export async function installPackages(context: StepContext, manager: Manager, uv: string): Promise<void> {
  const { log, buildDir, cacheDir, env, dep } = context;
  log.step(`Installing packages (${manager.file})`);
  const missing = await missingInPythonLock(buildDir, manager);
  const source = manager.name === 'pipenv' ? 'Pipfile' : 'pyproject.toml';
  tellLockDrift(log, { lock: manager.file, source, missing, repair: `${manager.name} lock` });
  const tools = {
    ...pythonEnv(context),
    UV_CACHE_DIR: join(cacheDir, 'uv'),
    UV_LINK_MODE: 'copy',
    UV_PYTHON_DOWNLOADS: 'never',
    UV_NO_PROGRESS: '1',
    UV_SYSTEM_CERTS: 'true',
    UV_NO_CONFIG: env['UV_NO_CONFIG'],
    UV_EXTRA_INDEX_URL: env['UV_EXTRA_INDEX_URL'] ?? env['PIP_EXTRA_INDEX_URL'],
    UV_DEFAULT_INDEX: env['UV_DEFAULT_INDEX'] ?? registryUrl('pypi', env),
  };
  const start = (argv: Argv, next: string) => {
    log.info(`$ ${argv.join(' ').replaceAll(uv, 'uv').replaceAll(`${buildDir}/`, '')}`);
    return run(argv, { cwd: buildDir, env: tools, next });
  };
  const python = dep.at('python/bin/python3');
  const pip: Argv = [uv, 'pip', 'install', '--python', python, '--break-system-packages'];
  const from = await requirements(context, manager, { uv, start });
  if (from === undefined) {
    await start([...pip, '.'], ADVICE);
  } else {
    await installFile(context, { file: from, pip, start, whole: manager.name !== 'pip' });
  }
  await settle(context);
}

type Start = (argv: Argv, next: string) => Promise<void>;

const ADVICE =
  'See the output above. A package without a wheel for this Python and machine has to be compiled, for which the stack needs a compiler; ' +
  'a private index is named with PIP_INDEX_URL, UV_DEFAULT_INDEX or --extra-index-url.';

/** The file to install from; undefined for a project without lock. */
async function requirements(
  context: StepContext,
  manager: Manager,
  tools: { readonly uv: string; readonly start: Start },
): Promise<string | undefined> {
  const { buildDir, dep, env, log } = context;
  const written = dep.at('requirements.txt');
  if (manager.name === 'pip') {
    const text = (await readText(buildDir, manager.file)) ?? '';
    await writeFile(written, text);
    return join(buildDir, manager.file);
  }
  if (manager.name === 'project') {
    log.warning('There is no lock file: the next staging may install other versions.');
    return undefined;
  }
  if (manager.name === 'uv') {
    const argv: Argv = [
      tools.uv,
      'export',
      '--frozen',
      '--no-default-groups',
      '--no-editable',
      '--quiet',
      '--output-file',
      written,
    ];
    await tools.start(argv, 'If uv.lock does not match pyproject.toml, run uv lock and commit it.');
    return written;
  }
  const text =
    manager.name === 'pipenv'
      ? fromPipfileLock(await readJson(buildDir, manager.file), env)
      : fromPoetryLock(await readToml(buildDir, manager.file), await readToml(buildDir, 'pyproject.toml'));
  await writeFile(written, text);
  return written;
}

/** With `vendor/`, what it has comes first, and what it lacks from the index. */
async function installFile(
  context: StepContext,
  {
    file,
    pip,
    start,
    whole,
  }: { readonly file: string; readonly pip: Argv; readonly start: Start; readonly whole: boolean },
): Promise<void> {
  const { buildDir, log } = context;
  const text = await readFile(file, 'utf8');
  const lock: string[] = whole ? ['--no-deps'] : [];
  const vendor = join(buildDir, 'vendor');
  const carried = (await isThere(vendor))
    ? (await readdir(vendor)).filter((name) => /\.(whl|tar\.gz|zip)$/.test(name))
    : [];
  if (carried.length === 0) return await start([...pip, ...lock, '-r', file], ADVICE);
  const only = /^--no-index\b/m.test(text);
  log.info(`vendor/ has ${carried.length} packages`);
  const unfit = unfitWheels(carried, await lineOf(context));
  if (unfit.length > 0)
    log.warning(`vendor/ has packages that can not be installed here:\n${unfit.join('\n')}`);
  try {
    await start(
      [...pip, ...lock, '--no-index', '--find-links', vendor, '-r', file],
      'vendor/ has to hold every package, also those that others need, for this Python and machine: pip download -d vendor -r requirements.txt',
    );
  } catch (error) {
    if (only || !(error instanceof BuildpackFailure)) throw error;
    log.warning('vendor/ lacks some of what the app needs (above); the rest comes from the index.');
    await start([...pip, ...lock, '--find-links', vendor, '-r', file], ADVICE);
  }
}

/** `3.13` of the Python that is installed. */
async function lineOf({ dep }: Pick<StepContext, 'dep'>): Promise<string> {
  const names = await readdir(dep.at('python/lib'));
  return names.map((name) => /^python(3\.\d+)$/.exec(name)?.[1]).find((line) => line !== undefined) ?? '';
}

/** Nothing is rewritten when the app starts: programs and links to the app's own folders are made right now. */
async function settle({ dep, buildDir }: StepContext): Promise<void> {
  const bin = dep.at('python/bin');
  for (const name of await readdir(bin)) {
    const path = join(bin, name);
    const bytes = await readFile(path);
    const text = bytes.toString('latin1', 0, 4096);
    if (!text.startsWith('#!') || !text.slice(0, 512).includes(bin)) continue;
    const rest = bytes.subarray(bytes.indexOf('\n') + 1).toString('utf8');
    // A long path comes as a shell script that starts Python.
    const body = text.startsWith('#!/bin/sh\n') ? rest.slice(rest.indexOf("' '''") + 6) : rest;
    await writeFile(path, `#!/usr/bin/env python3\n${body}`);
  }
  const site = dep.at('python/lib', `python${await lineOf({ dep })}`, 'site-packages');
  for (const name of (await isThere(site)) ? await readdir(site) : []) {
    if (!name.endsWith('.pth')) continue;
    const text = await readFile(join(site, name), 'utf8');
    if (!text.includes(buildDir)) continue;
    // Relative to the file, and at run time deps/ and app/ lie beside each other.
    const up = relative(site, join(dep.path, '../..'));
    await writeFile(join(site, name), text.replaceAll(buildDir, `${up}/app`));
  }
}
