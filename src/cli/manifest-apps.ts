/** `stager stage -f FILE`: which apps, with which sources. */
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { StagerError } from '../errors.ts';
import { readManifest } from '../manifest/read.ts';
import type { ManifestApp } from '../manifest/schema.ts';
import type { Variables } from '../manifest/variables.ts';
import { readInput } from '../request.ts';
import type { Context } from './actions.ts';
import type { StageTarget } from './stage-request.ts';

/**
 * The apps to stage: those of the manifest (or the one that `--app-name` names), or SOURCE alone.
 *
 * @throws StagerError MANIFEST_INVALID, CONFIG_INVALID, USAGE when SOURCE is given beside a manifest with several.
 */
export async function stageTargets(context: Context): Promise<readonly StageTarget[]> {
  const { settings } = context.config;
  const given = typeof context.args[0] === 'string' ? context.args[0] : undefined;
  if (settings.manifest === undefined) return [{ source: given ?? '.' }];
  const file = settings.manifest;
  const manifest = readManifest({
    file,
    text: await readInput(file, 'manifest'),
    variables: await variables(context),
  });
  const chosen = choose(manifest.apps, settings.appName, file);
  if (given !== undefined && chosen.length > 1) {
    throw new StagerError(
      'USAGE',
      `${file} has ${chosen.length} applications, SOURCE can be only one of them`,
      {
        next: 'Choose one with --app-name, or leave SOURCE out.',
      },
    );
  }
  return chosen.map((app, index) => ({
    app,
    source: given ?? resolve(dirname(file), app.path ?? '.'),
    // About the file as a whole: once is enough.
    notes: index === 0 ? manifest.warnings : [],
  }));
}

function choose(
  apps: readonly ManifestApp[],
  name: string | undefined,
  file: string,
): readonly ManifestApp[] {
  if (name === undefined) return apps;
  const chosen = apps.filter((app) => app.name === name);
  if (chosen.length > 0) return chosen;
  throw new StagerError('MANIFEST_INVALID', `${file} has no application ${name}`, {
    next: `It has ${apps.map((app) => app.name).join(', ')}.`,
    details: { file, name },
  });
}

const variablesSchema = z.record(z.string(), z.unknown());

/** `--var` wins over files, a later file over an earlier one, as in cf push. */
async function variables({ config }: Context): Promise<Variables> {
  const merged: Record<string, unknown> = {};
  for (const file of config.settings.varsFiles ?? []) {
    const parsed = variablesSchema.safeParse(readYaml(await readInput(file, 'variables file'), file) ?? {});
    if (!parsed.success) throw notVariables(file, 'is no map of variables');
    Object.assign(merged, parsed.data);
  }
  for (const pair of config.settings.vars ?? []) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (name === undefined || value === undefined) throw notVariables(`--var ${pair}`, 'has no =');
    merged[name] = readYaml(value, `--var ${name}`);
  }
  return merged;
}

function readYaml(text: string, where: string): unknown {
  try {
    const value: unknown = parseYaml(text);
    return value;
  } catch (cause) {
    throw notVariables(where, cause instanceof Error ? cause.message : 'is no YAML');
  }
}

function notVariables(where: string, why: string): StagerError {
  return new StagerError('CONFIG_INVALID', `${where} ${why}`, {
    next: 'Variables are a YAML map, or --var NAME=VALUE.',
  });
}
