/** `-f FILE`: which apps of a manifest, with which sources. */
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type NamedApp, readManifest } from '../../../staging/manifest/read.ts';
import { parseVariable, parseVariables, type Variables } from '../../../staging/manifest/variables.ts';
import { readInput } from '../../../staging/request/request.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from './context.ts';
import type { StageTarget } from './stage-request.ts';

/**
 * The apps: those of the manifest (or the one that `--app-name` names), or SOURCE alone.
 *
 * @throws StagerError MANIFEST_INVALID, CONFIG_INVALID, SOURCE_NOT_FOUND for a path that is not there, USAGE for what
 * fits one app only when the manifest has several.
 */
export async function stageTargets(context: Context): Promise<readonly StageTarget[]> {
  const { settings } = context.config;
  const given = typeof context.args[0] === 'string' ? context.args[0] : undefined;
  if (given !== undefined && settings.package !== undefined) {
    throw new StagerError('USAGE', `SOURCE (${given}) and --package exclude each other`, {
      next: 'Give the directory or archive of the app, or the guid of a package.',
    });
  }
  if (settings.manifest === undefined) {
    if (['vars', 'varsFiles'].some((key) => context.config.given.has(key))) throw noManifest();
    return [{ source: given ?? '.' }];
  }
  const file = await manifestFile(settings.manifest);
  const { apps, warnings } = readManifest({
    file,
    text: await readInput(file, 'manifest'),
    variables: await variables(context),
    ...(settings.appName !== undefined && { appName: settings.appName }),
  });
  if (apps.length > 1) refuseForSeveral(context, apps);
  const sources = apps.map((app) => given ?? resolve(dirname(file), app.path ?? '.'));
  if (settings.package === undefined) {
    for (const [index, app] of apps.entries()) await demandSource(sources[index] ?? '.', app);
  }
  return apps.map((app, index) => ({
    app,
    source: sources[index] ?? '.',
    // About the file as a whole: once is enough.
    notes: index === 0 ? warnings : [],
  }));
}

/** A directory stands for the manifest in it, as for the cf client. */
async function manifestFile(path: string): Promise<string> {
  const isDirectory = await stat(path)
    .then((facts) => facts.isDirectory())
    .catch(() => false);
  if (!isDirectory) return path;
  const [yml, yaml] = [join(path, 'manifest.yml'), join(path, 'manifest.yaml')];
  return (await isThere(yml)) || !(await isThere(yaml)) ? yml : yaml;
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** All of them before the first one is staged: that can take long. */
async function demandSource(source: string, { name }: NamedApp): Promise<void> {
  if (await isThere(source)) return;
  throw new StagerError('SOURCE_NOT_FOUND', `${source}, the path of application ${name}, does not exist`, {
    next: 'Correct its path in the manifest; it is relative to the manifest.',
    details: { path: source, application: name },
  });
}

function noManifest(): StagerError {
  return new StagerError('USAGE', '--var and --vars-file are for a manifest, and none is named', {
    next: 'Name it: -f manifest.yml',
  });
}

function refuseForSeveral({ config, args }: Context, apps: readonly NamedApp[]): void {
  const { output, package: stored } = config.settings;
  const what = args[0] !== undefined ? 'SOURCE' : output !== undefined ? '--output' : '--package';
  if (args[0] === undefined && output === undefined && stored === undefined) return;
  const names = apps.map(({ name }) => name);
  throw new StagerError('USAGE', `the manifest has ${apps.length} applications, ${what} is for one`, {
    next: `Choose one with --app-name (${names.join(', ')}), or leave ${what} out.`,
    details: { names },
  });
}

/** `--var` wins over files, a later file over an earlier one, as in cf push. */
async function variables({ config }: Context): Promise<Variables> {
  let merged: Variables = {};
  for (const file of config.settings.varsFiles ?? []) {
    merged = { ...merged, ...parseVariables(await readInput(file, 'variables file'), file) };
  }
  for (const pair of config.settings.vars ?? []) merged = { ...merged, ...parseVariable(pair) };
  return merged;
}
