/** Where a build with Cloud Native Buildpacks takes place, and what its scripts are run with. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownedDirectory } from '../../machine/host/owner.ts';
import { writeCaBundle } from '../../machine/proxy/ca-bundle.ts';
import { proxySecrets, proxyVariables } from '../../machine/proxy/proxy-settings.ts';
import { InsideView } from '../../machine/sandbox/child/inside-view.ts';
import { MAX_FILES, type Rootfs } from '../../machine/sandbox/port/sandbox.ts';
import { osRelease } from '../../machine/stack/check.ts';
import { MEBIBYTE } from '../../words/units.ts';
import { withPeaks } from '../buildpack/run/run-script.ts';
import { CNB_INSIDE, CnbHome } from '../cnb/cnb-home.ts';
import type { CnbPlaces, CnbScriptPorts } from '../cnb/cnb-scripts.ts';
import { createRedactor } from '../logs/redact.ts';
import { DEFAULT_FDS, stagingApplication } from '../vcap/application.ts';
import { databaseUrl, encodeServices, secretValues } from '../vcap/services.ts';
import { fillApp, type PackagedApp } from './app.ts';
import type { Staging } from './staging.ts';
import type { StagingWorkspace } from './workspace.ts';

const PIDS = 1024;

/** The directories of a build, with the app in its place. */
export async function openCnbPlaces(
  staging: Staging,
  workspace: StagingWorkspace,
  app: PackagedApp,
): Promise<CnbPlaces> {
  const { owner } = staging.ports.sandbox;
  const { source, counts } = app;
  await fillApp(staging, { source, ...(counts !== undefined && { counts }) }, workspace);
  // Not below the workspace's own /tmp: what a script may rename can't be what the next one is shown.
  const root = join(workspace.root, 'cnb-build');
  const places = {
    root,
    home: new CnbHome(join(root, 'home'), 'COMPILE_FAILED'),
    tmp: join(root, 'tmp'),
    plans: join(root, 'plans'),
    platform: join(workspace.root, 'cnb-platform'),
  };
  for (const path of [root, places.plans, places.platform, join(places.platform, 'env')]) {
    await mkdir(path);
    await chmod(path, 0o755);
  }
  for (const [path, mode] of [
    [places.home.root, 0o755],
    [places.tmp, 0o1777],
  ] as const) {
    await ownedDirectory(path, owner);
    await chmod(path, mode);
  }
  await rename(workspace.app, places.home.hostOf(CNB_INSIDE.app));
  await places.home.make(CNB_INSIDE.layers, owner);
  return places;
}

/**
 * What the platform passes to scripts, also as files: every variable of the app, as Cloud Controller does, and the
 * authorities of the operator by the names that tools know, unless the app has its own.
 */
export async function cnbUserVariables(
  staging: Staging,
  { platform }: CnbPlaces,
  rootfs: Rootfs,
): Promise<Readonly<Record<string, string>>> {
  const variables = { ...(await authorities(staging, platform, rootfs)), ...appVariables(staging) };
  for (const [name, value] of Object.entries(variables)) {
    if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
      await writeFile(join(platform, 'env', name), value, { mode: 0o644 });
  }
  return variables;
}

/** Those of the stack are where the stack's tools look, and stay there. */
async function authorities(
  { ports }: Staging,
  platform: string,
  rootfs: Rootfs,
): Promise<Readonly<Record<string, string>>> {
  if (ports.extraCas.length === 0) return {};
  const platformDir = join(platform, 'stager');
  await mkdir(platformDir);
  await chmod(platformDir, 0o755);
  const rootDir = rootfs.kind === 'host' ? '/' : rootfs.path;
  return await writeCaBundle({
    platformDir,
    inside: `${CNB_INSIDE.platform}/stager`,
    rootDir,
    extra: ports.extraCas,
  });
}

function appVariables({ request, build }: Staging): Readonly<Record<string, string>> {
  const { env, services, memoryMb, diskMb } = request;
  const url = databaseUrl(services);
  const facts = { ...request.app, limits: { memoryMb, diskMb, fds: DEFAULT_FDS } };
  return {
    ...env,
    VCAP_APPLICATION: stagingApplication(facts, build),
    VCAP_SERVICES: encodeServices(services),
    ...(url !== undefined && { DATABASE_URL: url }),
  };
}

/** What all scripts of a build start with. */
export function cnbBaseEnvironment(
  { request, ports }: Staging,
  stackId: string | undefined,
): Map<string, string> {
  return new Map(
    Object.entries({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: CNB_INSIDE.home,
      CNB_STACK_ID: stackId ?? request.cfStack ?? request.stack,
      ...proxyVariables(ports.proxy),
    }),
  );
}

/** How scripts are run. */
export async function cnbScriptPorts(
  staging: Staging,
  places: CnbPlaces,
  rootfs: Rootfs,
): Promise<CnbScriptPorts> {
  const { request, ports, signal } = staging;
  const view = new InsideView(rootfs.kind === 'host' ? '/' : rootfs.path, []);
  const network = staging.network();
  if (network.warning !== undefined) staging.warn('network-shared', network.warning);
  return {
    sandbox: ports.sandbox,
    rootfs,
    places,
    distro: { name: await osRelease(view, 'ID'), version: await osRelease(view, 'VERSION_ID') },
    limits: {
      memoryBytes: request.memoryMb * MEBIBYTE,
      pids: PIDS,
      diskBytes: request.diskMb * MEBIBYTE,
      files: MAX_FILES,
      wallMs: request.timeoutMs,
      openFiles: DEFAULT_FDS,
    },
    network: network.kind,
    owner: staging.build,
    report: staging.report,
    clock: ports.clock,
    onPeaks: (report) => {
      staging.peaks = withPeaks(staging.peaks, report);
    },
    redact: createRedactor([
      ...staging.secrets,
      ...secretValues(request.services),
      ...proxySecrets(ports.proxy),
    ]),
    signal,
  };
}
