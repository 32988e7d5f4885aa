/** Config files: YAML maps of settings. */
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { errnoOf, StagerError } from '../errors.ts';
import { SETTINGS } from './schema.ts';

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

/**
 * Reads the file that was named, or those of the usual ones that are there; a later one wins.
 *
 * @throws StagerError CONFIG_INVALID naming the file.
 */
export async function readConfigFiles(
  where: { readonly named: string } | { readonly usual: readonly string[] },
): Promise<ConfigEntries> {
  const optional = 'usual' in where;
  const merged: Record<string, { value: Raw; file: string }> = {};
  for (const file of optional ? where.usual : [where.named]) {
    const values = await readConfigFile(file, { optional });
    for (const [key, value] of Object.entries(values)) merged[key] = { value, file };
  }
  return merged;
}

async function readConfigFile(
  file: string,
  { optional }: { optional: boolean },
): Promise<Record<string, Raw>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
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
  try {
    return parseYaml(text);
  } catch (error) {
    throw new StagerError(
      'CONFIG_INVALID',
      `${file}: ${error instanceof Error ? error.message : 'not YAML'}`,
      {
        next: 'Mend the YAML.',
        details: { file },
        cause: error,
      },
    );
  }
}
