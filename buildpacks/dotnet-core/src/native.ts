/** Libraries of the stack that .NET needs: some are linked, ICU and OpenSSL it loads by name once it runs. */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { installLibraries, librariesOnly, type StepContext, stackHasLibrary } from '../../kit/index.ts';
import type { DotnetApp } from './app.ts';

/** Only for tracing, where LTTng is installed. */
const OPTIONAL = /libcoreclrtraceptprovider\.so$/;

/** Installs what the stack lacks into deps/<idx>/lib, where the loader looks at run time. */
export async function installNative(context: StepContext, app: DotnetApp): Promise<void> {
  const { buildDir, dep, env, log } = context;
  const own = app.program === undefined ? [] : [join(buildDir, app.program)];
  const from = [...own, ...(await librariesIn(buildDir)), ...(await librariesIn(dep.at('dotnet')))];
  const beside = new Set(from.map((path) => basename(path)));
  const lacking = await installLibraries(context, { from, into: dep.at('lib') });
  const missing = lacking.filter((name) => !beside.has(name));
  if (missing.length > 0)
    log.warning(`The stack lacks ${missing.join(', ')}, which libraries of the app or of .NET name.`);
  if (!isInvariant(app, env)) {
    if (!(await stackHasLibrary(/^libicuuc\.so\.\d/))) await byName(context, 'libicu72');
  } else log.info('Globalization is invariant: ICU is not needed');
  if (!(await stackHasLibrary(/^libssl\.so\.(3|1\.1)$/))) await byName(context, 'libssl3');
}

/** One culture for all, or ICU inside of the app. */
function isInvariant({ config }: DotnetApp, env: StepContext['env']): boolean {
  const variable = env['DOTNET_SYSTEM_GLOBALIZATION_INVARIANT'] ?? '';
  if (variable !== '') return /^(1|true)$/i.test(variable);
  const { properties = {} } = config ?? {};
  return (
    `${properties['System.Globalization.Invariant']}` === 'true' ||
    properties['System.Globalization.AppLocalIcu'] !== undefined
  );
}

async function byName(context: StepContext, name: string): Promise<void> {
  const entry = context.choose(name, '*');
  await context.dependencies.install(entry, context.dep.at('lib'), { pick: librariesOnly });
  await installLibraries(context, { from: [context.dep.at('lib')], into: context.dep.at('lib') });
}

async function librariesIn(dir: string): Promise<string[]> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith('.so') && !OPTIONAL.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
