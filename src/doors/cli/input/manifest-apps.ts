/** `-f FILE`: which apps of a manifest, with which sources. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { demandSource, openManifest } from '../../../staging/manifest/open.ts';
import type { NamedApp } from '../../../staging/manifest/read.ts';
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
    throw new StagerError('USAGE', `SOURCE (${given}) and --package cannot be used together`, {
      next: 'Give the directory or archive of the app, or the guid of a package.',
    });
  }
  if (settings.manifest === undefined) {
    if (['vars', 'varsFiles'].some((key) => context.config.given.has(key))) throw noManifest();
    const source = given ?? '.';
    return [{ source, notes: settings.package === undefined ? await manifestBeside(source) : [] }];
  }
  const { appName, vars = [], varsFiles = [] } = settings;
  const { apps, warnings } = await openManifest({
    manifest: settings.manifest,
    vars,
    varsFiles,
    ...(appName !== undefined && { appName }),
  });
  if (apps.length > 1)
    refuseForSeveral(
      context,
      apps.map(({ app }) => app),
    );
  const targets = apps.map(({ app, source }) => ({ app, source: given ?? source }));
  if (settings.package === undefined) {
    for (const { app, source } of targets) await demandSource(source, app);
  }
  return targets.map((target, index) => ({
    ...target,
    // About the file as a whole: once is enough.
    notes: index === 0 ? warnings : [],
  }));
}

/** cf push reads the manifest of the directory by itself; here it is named. */
async function manifestBeside(source: string): Promise<readonly string[]> {
  for (const name of ['manifest.yml', 'manifest.yaml']) {
    const file = join(source, name);
    const isFile = await stat(file).then(
      (facts) => facts.isFile(),
      () => false,
    );
    if (isFile) return [`${file} exists but is not used: stage with -f ${file} to use it`];
  }
  return [];
}

function noManifest(): StagerError {
  return new StagerError('USAGE', '--var and --vars-file need a manifest', {
    next: 'Name it: -f manifest.yml',
  });
}

function refuseForSeveral({ config, args }: Context, apps: readonly NamedApp[]): void {
  const { output, package: stored } = config.settings;
  const what = args[0] !== undefined ? 'SOURCE' : output !== undefined ? '--output' : '--package';
  if (args[0] === undefined && output === undefined && stored === undefined) return;
  const names = apps.map(({ name }) => name);
  throw new StagerError('USAGE', `the manifest has ${apps.length} applications, but ${what} is for one`, {
    next: `Choose one with --app-name (${names.join(', ')}), or leave ${what} out.`,
    details: { names },
  });
}
