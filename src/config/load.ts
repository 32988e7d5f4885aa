/**
 * flag > variable > config file > default. The only reader of the process environment.
 *
 * Config files, the nearer wins: `./stager.yml`, then `$XDG_CONFIG_HOME/stager/config.yml`; or the one that
 * `--config` or STAGER_CONFIG names. Relative paths in a file are relative to that file.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { errnoOf, StagerError } from '../errors.ts';
import { parseDuration, parseMegabytes } from '../units.ts';
import { CHOICES, SETTINGS, type Setting } from './schema.ts';
import { type Settings, settingsSchema } from './settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings and the few facts of the machine that the rest of the program may know. */
export interface Config {
  readonly settings: Settings;
  /** Keys of the settings that came from a flag or a variable: they win over a manifest. */
  readonly given: ReadonlySet<string>;
  /** Data home (absolute). */
  readonly home: string;
  /** Cache home (absolute): downloads, probes; can be deleted at any time. */
  readonly cacheHome: string;
  readonly proxy: { readonly http?: string; readonly https?: string; readonly no?: string };
  /** Seconds since the epoch for `--reproducible`. */
  readonly sourceDateEpoch: number;
  /** The runtime's search path, for finding runc, git …; never handed to scripts. */
  readonly searchPath: string;
}

/** Flags as commander gives them: only those that a person wrote. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Where settings come from. */
export interface LoadInput {
  readonly flags: Flags;
  readonly configFile?: string;
  readonly env?: Environment;
  readonly cwd?: string;
  /** For the library: neither STAGER_* variables nor config files count, only facts of the machine. */
  readonly machineOnly?: boolean;
}

/**
 * Reads, checks and freezes the configuration.
 *
 * @throws StagerError CONFIG_INVALID naming the flag, variable or file and line that is wrong.
 */
export async function loadConfig(input: LoadInput): Promise<Config> {
  const env =
    input.machineOnly === true ? machineFacts(input.env ?? process.env) : (input.env ?? process.env);
  const cwd = input.cwd ?? process.cwd();
  const named = input.configFile ?? env['STAGER_CONFIG'];
  const file = input.machineOnly === true ? {} : await readConfigFiles(named, { env, cwd });
  const settings: Record<string, unknown> = {};
  const rows: readonly [string, Setting][] = Object.entries(SETTINGS);
  for (const [key, row] of rows) {
    const value = firstOf(key, row, { flags: input.flags, env, file, cwd });
    if (value !== undefined) settings[key] = value;
  }
  settings['caFile'] ??= extraAuthorities(env);
  if (settings['caFile'] === undefined) delete settings['caFile'];
  const parsed = settingsSchema.parse(settings);
  return Object.freeze({
    settings: Object.freeze(parsed),
    given: new Set(
      rows.flatMap(([key, row]) => (input.flags[key] !== undefined || env[row.variable] ? [key] : [])),
    ),
    home: parsed.home ?? join(xdg(env, 'XDG_DATA_HOME', '.local/share'), 'stager'),
    cacheHome:
      parsed.home === undefined
        ? join(xdg(env, 'XDG_CACHE_HOME', '.cache'), 'stager')
        : join(parsed.home, 'cache'),
    proxy: proxyFrom(env),
    sourceDateEpoch: epochFrom(env),
    searchPath: env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  });
}

/** Whom Node is told to trust beside its own list, scripts in the sandbox are told to trust too. */
function extraAuthorities(env: Environment): string | undefined {
  const file = env['NODE_EXTRA_CA_CERTS'];
  return file?.startsWith('/') === true && existsSync(file) ? file : undefined;
}

function machineFacts(env: Environment): Environment {
  const isFact = (name: string): boolean =>
    /^(HOME|PATH|NODE_EXTRA_CA_CERTS|XDG_\w+|(https?|no)_proxy)$/i.test(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => isFact(name)));
}

interface Places {
  readonly flags: Flags;
  readonly env: Environment;
  readonly file: ConfigFile;
  readonly cwd: string;
}

function firstOf(key: string, row: Setting, places: Places): unknown {
  const flag = places.flags[key];
  if (flag !== undefined)
    return read(row, flag, { where: row.flag.replace(/^-\w, | <.*$/g, ''), base: places.cwd });
  const variable = places.env[row.variable];
  if (variable !== undefined && variable !== '')
    return read(row, variable, { where: row.variable, base: places.cwd });
  const entry = places.file[key];
  if (entry !== undefined)
    return read(row, entry.value, { where: `${key} in ${entry.file}`, base: dirname(entry.file) });
  return row.default === undefined
    ? undefined
    : read(row, row.default, { where: 'default', base: places.cwd });
}

type Raw = string | number | boolean | readonly string[];

function read(row: Setting, raw: Raw, at: { where: string; base: string }): unknown {
  const text = String(raw);
  switch (row.kind) {
    case 'text':
      return text;
    case 'path':
      return resolve(at.base, text);
    case 'list':
      return typeof raw === 'object' ? [...raw] : text.split('\n').flatMap((line) => line.trim() || []);
    case 'flag':
      return readFlag(text, at.where);
    case 'size':
      return parseMegabytes(text) ?? refuse(at.where, text, 'a size with a unit, such as 512M or 2G');
    case 'duration':
      return parseDuration(text) ?? refuse(at.where, text, 'a time with a unit, such as 90s or 15m');
    case 'network':
    case 'sandbox':
    case 'keep':
    case 'buildpackApi':
    case 'ignoreStyle':
      return readChoice(CHOICES[row.kind], text, at.where);
  }
}

function readChoice(words: readonly string[], text: string, where: string): string {
  return words.includes(text) ? text : refuse(where, text, `one of ${words.join(', ')}`);
}

function readFlag(text: string, where: string): boolean {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  return refuse(where, text, 'true or false');
}

function refuse(where: string, text: string, wanted: string): never {
  throw new StagerError('CONFIG_INVALID', `${where}: ${JSON.stringify(text)} is not ${wanted}`, {
    next: `Give ${where} ${wanted}.`,
    details: { where, value: text },
  });
}

type ConfigFile = Readonly<Record<string, { readonly value: Raw; readonly file: string } | undefined>>;

const fileSchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]));

async function readConfigFiles(
  named: string | undefined,
  { env, cwd }: { env: Environment; cwd: string },
): Promise<ConfigFile> {
  const user = join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'stager', 'config.yml');
  const files = named === undefined ? [user, join(cwd, 'stager.yml')] : [resolve(cwd, named)];
  const merged: Record<string, { value: Raw; file: string }> = {};
  for (const file of files) {
    const values = await readConfigFile(file, { optional: named === undefined });
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
    throw new StagerError('CONFIG_INVALID', `${file}: ${z.prettifyError(values.error)}`, {
      next: 'A config file is a YAML map of settings; docs/cli.md lists them.',
      details: { file },
    });
  }
  const unknown = Object.keys(values.data).filter((key) => !(key in SETTINGS));
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

function xdg(env: Environment, name: string, fallback: string): string {
  const value = env[name];
  return value?.startsWith('/') === true ? value : join(env['HOME'] ?? homedir(), fallback);
}

function proxyFrom(env: Environment): Config['proxy'] {
  const pick = (name: string): string | undefined => env[name] || env[name.toUpperCase()] || undefined;
  const [http, https, no] = [pick('http_proxy'), pick('https_proxy'), pick('no_proxy')];
  return { ...(http && { http }), ...(https && { https }), ...(no && { no }) };
}

function epochFrom(env: Environment): number {
  const text = env['SOURCE_DATE_EPOCH'] ?? '0';
  return /^\d{1,12}$/.test(text) ? Number(text) : refuse('SOURCE_DATE_EPOCH', text, 'seconds since 1970');
}
