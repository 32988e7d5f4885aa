/** The launcher program: environment, profile scripts, then the app in our place (staging-internals.md 7.1 to 7.3). */
import { CREDHUB_FLAGS, type CredhubRetry, credhubRetry } from './builder-flags.ts';
import { type DropinCaller, Exit } from './caller.ts';
import { goDatabaseUrl } from './database-url.ts';
import { pathError } from './go/errno.ts';
import { parseFlags } from './go/flags.ts';
import { encodeJson, type GoJson, parseGoJson } from './go/json.ts';
import { clean, join } from './go/path.ts';
import { parseInteger } from './go/text.ts';
import { type DropinLaunchInfo, readDropinLaunchInfo } from './launch-info.ts';
import { dropinLaunchScript } from './launch-script.ts';
import { credhubUri } from './platform-options.ts';

const USAGE = '<app-directory> <start-command> <metadata>';
const BAD_ENVIRONMENT = 3;
const EXEC_FAILED = 4;

/** Replaces this process; returns only by throwing. */
export type Execute = (file: string, args: readonly string[], env: Readonly<Record<string, string>>) => never;

/** Starts the app of `caller` through `execute`. @throws Exit with the status when it can't be started. */
export async function launcher(caller: DropinCaller, execute: Execute): Promise<never> {
  const { args, argv0 } = caller;
  const [dir, startCommand] = args;
  if (dir === undefined || startCommand === undefined || args.length < 3) {
    caller.stderr(`${argv0}: received only ${args.length} arguments\nUsage: ${argv0} ${USAGE}`);
    throw new Exit(1);
  }
  const info = await stagingInfoOf(caller);
  const command = startCommand === '' ? info.startCommand : startCommand;
  if (command === '') {
    caller.stderr(`${argv0}: no start command specified or detected in droplet`);
    throw new Exit(1);
  }
  // Credhub's flags are looked for from the metadata on, so metadata that begins with a dash is taken for one.
  const flags = parseFlags('launcher', CREDHUB_FLAGS, args.slice(2));
  if (!flags.ok) {
    caller.stderr(flags.text);
    throw new Exit(flags.exit);
  }
  const home = absolute(dir, caller.cwd) ?? dir;
  const env = await launchEnvironment(home, caller, credhubRetry(flags.values));
  const script = dropinLaunchScript(info.entrypointPrefix, caller);
  try {
    execute('/bin/bash', ['bash', '-c', script, argv0, home, command], env);
  } catch (error) {
    caller.stderr(pathError('', '', error).message.replace(/^ : /, ''));
    throw new Exit(EXEC_FAILED);
  }
}

/** Undefined for a relative path where there is no working directory. */
function absolute(path: string, cwd: string | undefined): string | undefined {
  if (path.startsWith('/')) return clean(path);
  return cwd === undefined ? undefined : join(cwd, path);
}

async function stagingInfoOf(caller: DropinCaller): Promise<DropinLaunchInfo> {
  try {
    return await readDropinLaunchInfo();
  } catch (error) {
    caller.stderr(`Invalid staging info - ${error instanceof Error ? error.message : String(error)}`);
    throw new Exit(1);
  }
}

async function launchEnvironment(
  home: string,
  caller: DropinCaller,
  retry: CredhubRetry,
): Promise<Readonly<Record<string, string>>> {
  const env: Record<string, string> = {
    ...caller.env,
    HOME: home,
  };
  const tmp = absolute(join(home, '..', 'tmp'), caller.cwd);
  const deps = absolute(join(home, '..', 'deps'), caller.cwd);
  if (tmp !== undefined) env['TMPDIR'] = tmp;
  if (deps !== undefined) env['DEPS_DIR'] = deps;
  const application = instanceApplication(env, caller);
  if (application !== undefined) env['VCAP_APPLICATION'] = application;
  const services = await credhubServices(env, caller, retry);
  if (services !== undefined) env['VCAP_SERVICES'] = services;
  delete env['VCAP_PLATFORM_OPTIONS'];
  const url = goDatabaseUrl(env['VCAP_SERVICES'] ?? '');
  if (url !== undefined) env['DATABASE_URL'] = url;
  return env;
}

async function credhubServices(
  env: Readonly<Record<string, string>>,
  caller: DropinCaller,
  retry: CredhubRetry,
): Promise<string | undefined> {
  const refuse = (what: string, error: unknown): Exit => {
    caller.stderr(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return new Exit(BAD_ENVIRONMENT);
  };
  let uri: string | undefined;
  try {
    uri = credhubUri(env['VCAP_PLATFORM_OPTIONS']);
  } catch (error) {
    throw refuse('Invalid platform options', error);
  }
  if (uri === undefined) return undefined;
  try {
    const { interpolatedServices } = await import('./credhub.ts');
    return await interpolatedServices(uri, env, { ...retry, stdout: caller.stdout });
  } catch (error) {
    throw refuse('Unable to interpolate credhub refs', error);
  }
}

/** VCAP_APPLICATION with what only the instance knows; undefined when it is not a JSON object. */
function instanceApplication(
  env: Readonly<Record<string, string>>,
  caller: DropinCaller,
): string | undefined {
  const parsed = parseGoJson(env['VCAP_APPLICATION'] ?? '');
  if (!parsed.ok || hasHugeNumber(parsed.value)) return undefined;
  if (parsed.value === null) {
    // The original writes into a nil map and dies of it.
    caller.stderr('panic: assignment to entry in nil map\n');
    throw new Exit(2);
  }
  if (!(parsed.value instanceof Map)) return undefined;
  const application = new Map<string, GoJson | bigint>(parsed.value);
  application.set('host', '0.0.0.0');
  application.set('instance_id', env['INSTANCE_GUID'] ?? '');
  for (const [key, variable] of [
    ['port', 'PORT'],
    ['instance_index', 'INSTANCE_INDEX'],
  ] as const) {
    const number = env[variable] ?? '';
    if (!/^[+-]?\d+$/.test(number)) continue;
    const value = parseInteger(number.replace(/^([+-]?)0+(?=\d)/, '$1'));
    if (typeof value === 'bigint') application.set(key, value);
  }
  return encodeJson(application);
}

/** A number beyond float64, which Go refuses to decode. */
function hasHugeNumber(value: GoJson): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  if (value instanceof Map) return [...value.values()].some(hasHugeNumber);
  return Array.isArray(value) && value.some(hasHugeNumber);
}
