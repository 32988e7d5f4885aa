/** Building from source with Ubuntu's SDK: what `dotnet publish` writes takes the place of the sources. */
import { cp, glob, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import {
  type Argv,
  BuildpackFailure,
  type Dependency,
  demandLibc,
  highestMatch,
  installLibraries,
  isOffline,
  isThere,
  Kept,
  machineFacts,
  pruneCache,
  readText,
  run,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import { inPackage, partsOf } from './runtime.ts';

const SDK = 'dotnet-sdk';
const ASPNET = 'Microsoft.AspNetCore.App';
/** Kept between stagings: NuGet's packages. */
const NUGET_CACHE = 'nuget';
/** Files at the top that are for the platform; all else is what a build reads. */
const STAYS = /^(Procfile|manifest\.ya?ml|\.profile|\.profile\.d|\.cfignore)$/;
/** Options that change what is built. */
const OPTIONS = /^(BUILD_CONFIGURATION$|BP_DOTNET|STAGER_NUGET|NUGET_|DOTNET_)/;
const NAME_IT = 'Name it in BP_DOTNET_PROJECT_PATH, or as project in [config] of .deployment.';

/** Does nothing for published apps, and where there is no SDK for the project: the refusal of sources says more. */
export async function buildSources(context: StepContext): Promise<void> {
  const { buildDir, cacheDir, dep, dependencies, env, isLast, log } = context;
  const published = (await readdir(buildDir)).some((name) => name.endsWith('.runtimeconfig.json'));
  if (published || !isLast) return;
  const project = await findProject(buildDir, env);
  if (project === undefined) return;
  const framework = await frameworkOf(buildDir, project);
  const sdk = chooseSdk(context, framework);
  if (sdk === undefined) return;
  const build = dep.at('build');
  const out = join(build, 'published');
  const parts = sdkParts(context, sdk);
  const kept = await keptBuild(context, project, sdk);
  if ((await kept?.restore({ published: out })) === true) {
    log.step(`Using what the last staging built of ${project}: sources and options are the same`);
    for (const part of parts) dependencies.use(part);
  } else {
    log.step(`Building ${project} (${framework})`);
    await installSdk(context, parts, join(build, 'sdk'));
    await publish(context, project, build);
    await kept?.keep({ published: out });
  }
  for (const name of await readdir(buildDir)) {
    if (!STAYS.test(name)) await rm(join(buildDir, name), { recursive: true });
  }
  await cp(out, buildDir, { recursive: true });
  await rm(build, { recursive: true });
  const variable = 'DOTNET_CACHE_LIMIT_MB';
  await pruneCache(cacheDir, [NUGET_CACHE], { log, limit: env[variable], variable });
}

/** Undefined where the same sources may give something else: scripts of the app, versions that are not fixed. */
async function keptBuild(
  { buildDir, cacheDir, env, version }: StepContext,
  project: string,
  sdk: Dependency,
): Promise<Kept | undefined> {
  for (const hook of ['bin/pre_compile', 'bin/post_compile']) {
    if (await isThere(join(buildDir, hook))) return undefined;
  }
  if (/Version="[^"]*\*/.test((await readText(buildDir, project)) ?? '')) return undefined;
  const options = Object.entries(env).filter(([name]) => OPTIONS.test(name));
  return Kept.of(cacheDir, 'dotnet-build', {
    facts: [version, sdk.uri, project, env['CF_STACK'], process.arch, options.sort()],
    paths: [buildDir],
    leaveOut: ['.git'],
  });
}

async function publish(
  { buildDir, cacheDir, env, log }: StepContext,
  project: string,
  build: string,
): Promise<void> {
  const [sdk, home, none] = [join(build, 'sdk'), join(build, 'home'), join(build, 'no-packages')];
  await mkdir(none);
  await mkdir(join(cacheDir, NUGET_CACHE), { recursive: true });
  // NuGet looks for it under a lock for the whole machine, for which .NET wants a /tmp that belongs to root.
  await mkdir(join(home, '.local/share/NuGet/Migrations'), { recursive: true });
  await writeFile(join(home, '.local/share/NuGet/Migrations/1'), '');
  const argv: Argv = [
    ...([join(sdk, 'dotnet'), 'publish', project, '-c', env['BUILD_CONFIGURATION'] ?? 'Release'] as const),
    ...['--nologo', '-o', join(build, 'published'), '--artifacts-path', join(build, 'artifacts')],
    ...(await sourcesOf(buildDir, project, env, none)),
  ];
  log.info(`$ ${argv.join(' ').replace(`${sdk}/`, '').replaceAll(`${build}/`, '')}`);
  await run(argv, {
    cwd: buildDir,
    env: {
      ...env,
      ...SETTINGS,
      HOME: home,
      XDG_DATA_HOME: undefined,
      DOTNET_ROOT: sdk,
      DOTNET_CLI_HOME: home,
      LD_LIBRARY_PATH: [join(sdk, 'lib'), env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
      NUGET_PACKAGES: join(cacheDir, NUGET_CACHE),
    },
    next: 'See the output above. Where nuget.org is out of reach, name a mirror in STAGER_NUGET_MIRROR or a NuGet.Config of the app, or stage what dotnet publish wrote.',
  });
}

const SETTINGS = {
  DOTNET_CLI_TELEMETRY_OPTOUT: '1',
  DOTNET_NOLOGO: '1',
  // Neither ICU nor a second mapping of compiled code is needed to build.
  DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1',
  DOTNET_EnableWriteXorExecute: '0',
  // Servers of the compiler would outlive the build.
  MSBUILDDISABLENODEREUSE: '1',
  UseSharedCompilation: 'false',
} as const;

/** @throws BuildpackFailure with the list when there are several that could be the app. */
export async function findProject(dir: string, env: StepContext['env']): Promise<string | undefined> {
  const projects = new Map<string, string>();
  for await (const file of glob('{*,*/*,*/*/*}.{cs,fs,vb}proj', { cwd: dir })) {
    const text = (await readText(dir, file)) ?? '';
    // Those without an Sdk are of .NET Framework.
    if (/<Project\b[^>]*\bSdk\s*=/.test(text)) projects.set(file, text);
  }
  const deployment = /^\s*project\s*=\s*(.+?)\s*$/m.exec((await readText(dir, '.deployment')) ?? '')?.[1];
  const named = env['BP_DOTNET_PROJECT_PATH'] || deployment;
  if (named !== undefined) {
    const path = posix.normalize(named).replace(/\/$/, '');
    const found = [...projects.keys()].filter((file) => file === path || posix.dirname(file) === path);
    if (found[0] !== undefined && found[1] === undefined) return found[0];
    throw new BuildpackFailure(`there is not one project at ${named}, but ${found.length}`, {
      next: `It has to be one of ${[...projects.keys()].sort().join(', ') || 'none, since the app has none'}.`,
    });
  }
  const all = [...projects.keys()].sort();
  const web = all.filter((file) => projects.get(file)?.includes('Microsoft.NET.Sdk.Web') === true);
  const [only, second] = web.length > 0 ? web : all;
  if (only === undefined || second === undefined) return only;
  throw new BuildpackFailure(`there are several projects: ${(web.length > 0 ? web : all).join(', ')}`, {
    next: NAME_IT,
  });
}

/** `net8.0`; empty where neither the project nor Directory.Build.props says it plainly. */
async function frameworkOf(dir: string, project: string): Promise<string> {
  for (const file of [
    project,
    join(posix.dirname(project), 'Directory.Build.props'),
    'Directory.Build.props',
  ]) {
    const text = (await readText(dir, file)) ?? '';
    const [, framework] = /<TargetFrameworks?>\s*(net\d+\.\d+)/.exec(text) ?? [];
    if (framework !== undefined) return framework;
  }
  return '';
}

/** Of the same line: others lack the packs of the framework. */
function chooseSdk(context: StepContext, framework: string): Dependency | undefined {
  const fit = { stack: context.env['CF_STACK'] ?? '', arch: process.arch, with: machineFacts() };
  const line = `${framework.replace(/^net/, '')}.x`;
  return highestMatch(line, versionsOf(context.manifest, SDK, fit)) === undefined
    ? undefined
    : context.choose(SDK, line);
}

/** The SDK, the runtime that it runs on, and the packs of its frameworks. */
function sdkParts(context: StepContext, sdk: Dependency): Dependency[] {
  const runtime = context.choose(ASPNET, sdk.version.replace(/\.\d+$/, '.x'));
  return [...partsOf(context, runtime), ...context.chooseGroup(SDK, { [SDK]: sdk.version })];
}

async function installSdk(context: StepContext, parts: readonly Dependency[], home: string): Promise<void> {
  for (const part of parts) await context.dependencies.install(part, home, { pick: inPackage });
  await demandLibc('the SDK of .NET', [join(home, 'dotnet')]);
  const from = [];
  for await (const file of glob('{shared,host}/**/*.so', { cwd: home })) {
    if (!file.endsWith('libcoreclrtraceptprovider.so')) from.push(join(home, file));
  }
  await installLibraries(context, { from, into: join(home, 'lib') });
}

/** A company's mirror; no source at all for projects without packages, which then need no network. */
async function sourcesOf(
  dir: string,
  project: string,
  env: StepContext['env'],
  none: string,
): Promise<string[]> {
  const mirror = env['STAGER_NUGET_MIRROR'] ?? '';
  if (mirror !== '') return ['--source', mirror];
  for (const name of ['NuGet.Config', 'nuget.config', 'NuGet.config']) {
    if (await isThere(join(dir, name))) return [];
  }
  const props = (await readText(dir, 'Directory.Build.props')) ?? '';
  const text = `${props}${(await readText(dir, project)) ?? ''}`;
  const plain = !/<(PackageReference|ProjectReference)\b/.test(text);
  return plain || isOffline() ? ['--source', none] : [];
}
