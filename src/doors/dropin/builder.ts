/** The builder program: arguments, platform options, CredHub, DATABASE_URL, then the build (staging-internals.md 6). */
import { type BuilderConfig, parseBuilderArguments } from './builder-flags.ts';
import type { DropinCaller } from './caller.ts';
import { goDatabaseUrl } from './database-url.ts';
import { builderExitCode } from './failure.ts';
import { credhubUri } from './platform-options.ts';

const BAD_PLATFORM_OPTIONS = 3;
const BAD_CREDHUB = 4;

/** Runs the builder for `caller`; returns its exit status. */
export async function builder(caller: DropinCaller): Promise<number> {
  const parsed = parseBuilderArguments(caller.args);
  if (!parsed.ok) {
    caller.stderr(parsed.text);
    return parsed.exit;
  }
  const { config } = parsed;
  const uri = attempt(() => credhubUri(caller.env['VCAP_PLATFORM_OPTIONS']));
  if ('message' in uri) {
    caller.stderr(`Invalid platform options: ${uri.message}`);
    return BAD_PLATFORM_OPTIONS;
  }
  let env = caller.env;
  if (uri.value !== undefined) {
    try {
      env = await withCredhub(uri.value, config, caller);
    } catch (error) {
      caller.stderr(`Unable to interpolate credhub refs: ${messageOf(error)}`);
      return BAD_CREDHUB;
    }
  }
  const url = goDatabaseUrl(env['VCAP_SERVICES'] ?? '');
  if (url !== undefined) env = { ...env, DATABASE_URL: url };
  try {
    const { runBuild } = await import('./build-run.ts');
    await runBuild(config, { ...caller, env });
    return 0;
  } catch (error) {
    const message = messageOf(error);
    caller.stderr(`${message}\n`);
    return builderExitCode(message);
  }
}

async function withCredhub(
  uri: string,
  config: BuilderConfig,
  caller: DropinCaller,
): Promise<DropinCaller['env']> {
  const { interpolatedServices } = await import('./credhub.ts');
  const options = { ...config.credhub, stdout: caller.stdout };
  const services = await interpolatedServices(uri, caller.env, options);
  return services === undefined ? caller.env : { ...caller.env, VCAP_SERVICES: services };
}

function attempt<T>(step: () => T): { readonly value: T } | { readonly message: string } {
  try {
    return { value: step() };
  } catch (error) {
    return { message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
