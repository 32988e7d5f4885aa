/** Config files: YAML maps of settings. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { decodeText } from '../machine/host/decode-text.ts';
import { parseHostileYaml } from '../machine/host/hostile-yaml.ts';
import { errnoOf, StagerError } from '../words/errors.ts';
import { SETTINGS } from './schema.ts';
import type { Setting } from './setting.ts';

/** A value as a person wrote it. */
export type Raw = string | number | boolean | readonly string[];

/** Settings by key, each with the file that has it. */
export type ConfigEntries = Readonly<
  Record<string, { readonly value: Raw; readonly file: string } | undefined>
>;

const entrySchema = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], {
  error:
    'a setting is a text, a number, true, false or a list of texts (lists of variables are NAME=VALUE texts)',
});
const fileSchema = z.record(z.string(), entrySchema, { error: 'not a map of settings' });

/** The file that was named; or that of the user, and what is found in the working directory. */
export type ConfigPlaces = { readonly named: string } | { readonly user: string; readonly found: string };

/**
 * Reads the file that was named, or those of the usual ones that are there; the found one wins.
 *
 * @throws StagerError CONFIG_INVALID naming the file.
 */
export async function readConfigFiles(places: ConfigPlaces): Promise<ConfigEntries> {
  if ('named' in places) return from(places.named, await readConfigFile(places.named, { optional: false }));
  const { user, found } = places;
  const own = await readConfigFile(user, { optional: true });
  const here = await readConfigFile(found, { optional: true });
  refuseWayOut(here, found);
  await refusePathsOutside(here, found);
  return { ...from(user, own), ...from(found, here) };
}

function from(file: string, values: Record<string, Raw>): ConfigEntries {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { value, file }]));
}

/** Who stages an app in its directory did not choose its files: none of them takes the sandbox away. */
function refuseWayOut(values: Record<string, Raw>, file: string): void {
  for (const [key, value] of Object.entries(values)) {
    if (
      key === 'runtime' ||
      key === 'diskBound' ||
      (key === 'sandbox' && (value === 'none' || value === 'process'))
    )
      throw notOfAnApp(file, key, `${String(value)} can't be set`);
  }
}

/** Nor does one read the person's files into the app's environment, or write over them. */
async function refusePathsOutside(values: Record<string, Raw>, file: string): Promise<void> {
  for (const [key, value] of Object.entries(values)) {
    const kind = settingOf(key)?.kind;
    if (key === 'home' || (kind !== 'path' && kind !== 'paths')) continue;
    for (const path of typeof value === 'object' ? value : [String(value)]) {
      const outside = !(await isBelow(dirname(file), resolve(dirname(file), path)));
      if (outside) throw notOfAnApp(file, key, `can't lead out of the directory, as ${path} does,`);
    }
  }
}

/** Whether a path stays below a directory when its links are followed, as far as it exists. */
async function isBelow(directory: string, path: string): Promise<boolean> {
  const root = await realpath(directory);
  for (let known = path; known !== dirname(known); known = dirname(known)) {
    const real = await realpath(known).catch(() => undefined);
    if (real !== undefined) return isWithin(root, join(real, relative(known, path)));
    // A link to what does not exist: what is written there would come to be at its end.
    if ((await lstat(known).catch(() => undefined)) !== undefined) return false;
  }
  return false;
}

const isWithin = (root: string, path: string): boolean => path === root || path.startsWith(root + sep);

function settingOf(key: string): Setting | undefined {
  const rows: Readonly<Record<string, Setting>> = SETTINGS;
  return rows[key];
}

function notOfAnApp(file: string, key: string, what: string): StagerError {
  const { variable = key } = settingOf(key) ?? {};
  return new StagerError('CONFIG_INVALID', `${file}: ${key} ${what} by a file that may be an app's`, {
    next: `Give the option or ${variable}, or name the file with --config.`,
    details: { file, key },
  });
}

async function readConfigFile(
  file: string,
  { optional }: { optional: boolean },
): Promise<Record<string, Raw>> {
  let text: string;
  try {
    text = decodeText(await readFile(file));
  } catch (error) {
    if (optional && errnoOf(error) === 'ENOENT') return {};
    throw new StagerError('CONFIG_INVALID', `can't read ${file}: ${errnoOf(error) ?? 'unknown error'}`, {
      next: 'Name a readable config file with --config or STAGER_CONFIG.',
      details: { file },
      cause: error,
    });
  }
  const values = fileSchema.safeParse(parseYamlFile(text, file) ?? {});
  if (!values.success) {
    const faults = values.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
    throw new StagerError('CONFIG_INVALID', `${file}: ${faults.join('; ')}`, {
      next: 'A config file is a YAML map of settings; docs/cli.md lists them.',
      details: { file },
    });
  }
  const unknown = Object.keys(values.data).filter((key) => !Object.hasOwn(SETTINGS, key));
  if (unknown.length > 0) {
    throw new StagerError('CONFIG_INVALID', `${file}: no such setting: ${unknown.join(', ')}`, {
      next: `Settings are: ${Object.keys(SETTINGS).join(', ')}.`,
      details: { file, unknown },
    });
  }
  return values.data;
}

function parseYamlFile(text: string, file: string): unknown {
  const yaml = parseHostileYaml(text, { uniqueKeys: true });
  if (yaml.ok) return yaml.value;
  throw new StagerError('CONFIG_INVALID', `${file}: ${yaml.reason}`, {
    next: 'Fix the YAML.',
    details: { file },
  });
}
