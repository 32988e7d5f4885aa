/**
 * flag > variable > config file > default. The only reader of the process environment.
 *
 * Config files, the nearer wins: `./stager.yml`, then `$XDG_CONFIG_HOME/stager/config.yml`; or the one that
 * `--config` or STAGER_CONFIG names. Relative paths in a file are relative to that file. An empty variable counts as not set.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StagerError } from '../words/errors.ts';
import { parseDuration, parseMegabytes } from '../words/units.ts';
import { type ConfigEntries, type Raw, readConfigFiles } from './file.ts';
import { type Homes, homesOf, type ProcessEnvironment, xdg } from './homes.ts';
import { isMirrorVariable, mirrorSettings } from './mirrors.ts';
import { type ProxySettings, proxySettings } from './proxy.ts';
import { registryLogins } from './registry-logins.ts';
import { SETTINGS } from './schema.ts';
import { CHOICES, type Setting } from './setting.ts';
import { assertSettings, type Settings } from './settings.ts';

/** Settings and the few facts of the machine that the rest of the program may know. */
export interface Config extends Homes {
  readonly settings: Settings;
  /** Keys of the settings that came from a flag or a variable: they win over a manifest. */
  readonly given: ReadonlySet<string>;
  readonly proxy: ProxySettings;
  /** Values of variables that name package registries, such as npm_config_registry. */
  readonly mirrors: readonly string[];
  /** Seconds since the epoch for `--reproducible`. */
  readonly sourceDateEpoch: number;
  /** The runtime's search path, for finding runc, git …; never handed to scripts. */
  readonly searchPath: string;
  /** STAGER_ADMIN_PASSWORD: no flag, since command lines are seen by others, and in no config file. */
  readonly adminPassword?: string;
  /** STAGER_PAGE_CLIENT_SECRET, in the same way. */
  readonly pageClientSecret?: string;
  /** Somebody takes traces: OpenTelemetry's own variables say where. */
  readonly tracing: boolean;
  /** STAGER_TOKEN, STAGER_PASSWORD and STAGER_CLIENT_SECRET, in the same way: for `--server` and `stager login`. */
  readonly token?: string;
  readonly password?: string;
  readonly clientSecret?: string;
  /** For image registries: CNB_REGISTRY_CREDS (JSON by host), CF_DOCKER_PASSWORD, and files of docker and podman. */
  readonly registries: {
    readonly given?: string;
    readonly dockerPassword?: string;
    readonly files: readonly string[];
  };
  /** File with the tokens of `stager login`. */
  readonly loginsFile: string;
}

/** Flags as commander gives them: only those that a person wrote. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Where settings come from. */
export interface LoadInput {
  readonly flags: Flags;
  readonly configFile?: string;
  readonly env?: ProcessEnvironment;
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
  const cwd = input.cwd ?? workingDirectory();
  const named = input.configFile ?? (env['STAGER_CONFIG'] || undefined);
  const usual = {
    user: join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'stager', 'config.yml'),
    found: join(cwd, 'stager.yml'),
  };
  const file =
    input.machineOnly === true
      ? {}
      : await readConfigFiles(named === undefined ? usual : { named: resolve(cwd, named) });
  const settings: Record<string, unknown> = {};
  const rows: readonly [string, Setting][] = Object.entries(SETTINGS);
  for (const [key, row] of rows) {
    const value = firstOf(key, row, { flags: input.flags, env, file, cwd });
    if (value !== undefined) settings[key] = value;
  }
  settings['caFile'] ??= extraAuthorities(env);
  if (settings['caFile'] === undefined) delete settings['caFile'];
  assertSettings(settings);
  return Object.freeze({
    settings: Object.freeze(settings),
    given: new Set(
      rows.flatMap(([key, row]) => (input.flags[key] !== undefined || env[row.variable] ? [key] : [])),
    ),
    ...homesOf(env, settings.home),
    proxy: proxySettings(env),
    mirrors: mirrorSettings(env),
    sourceDateEpoch: epochFrom(env),
    ...(env['STAGER_ADMIN_PASSWORD'] && { adminPassword: env['STAGER_ADMIN_PASSWORD'] }),
    ...(env['STAGER_PAGE_CLIENT_SECRET'] && { pageClientSecret: env['STAGER_PAGE_CLIENT_SECRET'] }),
    ...(env['STAGER_TOKEN'] && { token: env['STAGER_TOKEN'] }),
    ...(env['STAGER_PASSWORD'] && { password: env['STAGER_PASSWORD'] }),
    ...(env['STAGER_CLIENT_SECRET'] && { clientSecret: env['STAGER_CLIENT_SECRET'] }),
    tracing:
      Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) &&
      env['OTEL_SDK_DISABLED'] !== 'true',
    registries: registryLogins(env),
    loginsFile: join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'stager', 'logins.json'),
    searchPath: env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  });
}

/** @throws StagerError CONFIG_INVALID when the directory was removed. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new StagerError('CONFIG_INVALID', 'the working directory is gone', {
      next: 'Change to a directory that exists.',
      cause,
    });
  }
}

/** Whom Node is told to trust beside its own list, scripts in the sandbox are told to trust too. */
function extraAuthorities(env: ProcessEnvironment): string | undefined {
  const file = env['NODE_EXTRA_CA_CERTS'];
  return file?.startsWith('/') === true && existsSync(file) ? file : undefined;
}

function machineFacts(env: ProcessEnvironment): ProcessEnvironment {
  const isFact = (name: string): boolean =>
    /^(HOME|PATH|NODE_EXTRA_CA_CERTS|XDG_\w+|REQUEST_METHOD|(https?|no)_proxy)$/i.test(name) ||
    isMirrorVariable(name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => isFact(name)));
}

interface Places {
  readonly flags: Flags;
  readonly env: ProcessEnvironment;
  readonly file: ConfigEntries;
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

function read(row: Setting, raw: Raw, at: { where: string; base: string }): unknown {
  if (row.kind === 'list') return readList(raw);
  if (row.kind === 'paths') return readList(raw).map((path) => resolve(at.base, path));
  if (row.kind === 'references') return readList(raw).map((text) => fromBase(text, at.base));
  if (typeof raw === 'object') return refuse(at.where, raw.join(', '), 'one value');
  const text = String(raw);
  if (text === '') return refuse(at.where, text, 'a value; leave it out for none');
  switch (row.kind) {
    case 'text':
      return text;
    case 'path':
      return resolve(at.base, text);
    case 'program':
      return text.includes('/') ? resolve(at.base, text) : text;
    case 'address':
      return /^[a-z][a-z0-9+.-]*:/i.test(text) ? text : resolve(at.base, text);
    case 'flag':
      return readFlag(text, at.where);
    case 'size':
      return parseMegabytes(text) ?? refuse(at.where, text, 'a size with a unit, such as 512M or 2G');
    case 'duration':
      return parseDuration(text) ?? refuse(at.where, text, 'a time with a unit, such as 90s or 15m');
    case 'count':
      return /^\d{1,9}$/.test(text) ? Number(text) : refuse(at.where, text, 'a whole number from 0');
    case 'port':
      return /^\d{1,5}$/.test(text) && Number(text) < 65_536
        ? Number(text)
        : refuse(at.where, text, 'a port, from 0 to 65535');
    case 'network':
    case 'sandbox':
    case 'diskBound':
    case 'workspace':
    case 'keep':
    case 'buildpackApi':
    case 'ignoreStyle':
    case 'logLevel':
      return readChoice(CHOICES[row.kind], text, at.where);
  }
}

function readList(raw: Raw): readonly string[] {
  return typeof raw === 'object'
    ? raw
    : String(raw)
        .split('\n')
        .flatMap((line) => line.trim() || []);
}

/** What begins with `./` or `../` belongs to the place that names it; names and addresses stay as they are. */
function fromBase(text: string, base: string): string {
  return /^\.{1,2}(\/|$)/.test(text) ? resolve(base, text) : text;
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

function epochFrom(env: ProcessEnvironment): number {
  const text = env['SOURCE_DATE_EPOCH'] ?? '0';
  return /^\d{1,12}$/.test(text) ? Number(text) : refuse('SOURCE_DATE_EPOCH', text, 'seconds since 1970');
}
