/**
 * Cloud Foundry's cnb lifecycle: an app and Cloud Native Buildpacks become a droplet. The phases are run by us, each
 * script in a sandbox of its own, with what the specification and Cloud Foundry's builder promise it.
 */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'smol-toml';
import { demandOutputFile } from '../machine/host/output-file.ts';
import { replaceFileWith } from '../machine/host/replace-file.ts';
import { MAX_FILES } from '../machine/sandbox/port/sandbox.ts';
import type { RegistryClient } from '../stores/registry/client.ts';
import type { Emit } from '../words/events.ts';
import { formatCount, MEBIBYTE } from '../words/units.ts';
import { type AcquiredCnb, acquireCnb, type CnbAcquire, type CnbDirectory } from './cnb/cnb-acquire.ts';
import { type BuiltCnb, buildCnbs, keepLaunchLayers } from './cnb/cnb-build.ts';
import { detectCnbs } from './cnb/cnb-detect.ts';
import { type CnbProcess, mergeCnbProcesses, withWeb } from './cnb/cnb-launch.ts';
import { flatGroups } from './cnb/cnb-order.ts';
import { CNB_INSIDE, type CnbScriptPorts, ownedByScripts } from './cnb/cnb-scripts.ts';
import { type EntrySource, packEntries } from './droplet/pack/tarball.ts';
import { walkRoots } from './droplet/tar/tree-walk.ts';
import { createRedactor } from './logs/redact.ts';
import type { StageRequest } from './request/request.ts';
import { fillApp, openApp } from './steps/app.ts';
import { verifiedStack } from './steps/stack.ts';
import { type StagePorts, Staging } from './steps/staging.ts';
import { openWorkspace } from './steps/workspace.ts';
import { secretValues } from './vcap/services.ts';

/** result.json of the cnb lifecycle. */
export interface CnbResult {
  readonly lifecycle_metadata: {
    readonly buildpacks: readonly { readonly key: string; readonly name: string; readonly version: string }[];
  };
  readonly process_types: Readonly<Record<string, string>>;
  readonly execution_metadata: '';
  readonly lifecycle_type: 'cnb';
}

const PIDS = 1024;
const OPEN_FILES = 16_384;

/** Stages `request` with Cloud Native Buildpacks into the file `output`. */
export async function stageAppWithCnbs(
  request: StageRequest & { readonly output: string },
  ports: StagePorts & { readonly client: RegistryClient },
  io: { readonly signal: AbortSignal; readonly emit: Emit },
): Promise<CnbResult> {
  await demandOutputFile(request.output);
  const staging = new Staging(request, ports, io);
  const { signal } = io;
  const stack = await verifiedStack(staging);
  const source = await openApp(staging);
  await using workspace = await openWorkspace(staging);
  const temp = join(workspace.root, 'cnb');
  await mkdir(temp, { mode: 0o711 });
  const acquired = await acquireAll(staging, { temp, client: ports.client, signal });
  await fillApp(staging, { source }, workspace);
  const home = join(workspace.tmp, 'vcap');
  await ownedByScripts(home, staging.ports.sandbox.owner);
  await rename(workspace.app, join(home, 'workspace'));
  await ownedByScripts(join(home, 'layers'), staging.ports.sandbox.owner);
  const platform = join(temp, 'platform');
  await writePlatform(platform, request.env);
  const all = acquired.flatMap((it) => it.all);
  const scripts = scriptPorts(staging, { home, tmp: workspace.tmp, platform }, stack.rootfs);
  const base = new Map(Object.entries(baseEnvironment(request.cfStack ?? request.stack)));
  const entries = acquired.map(({ main: { descriptor } }) => ({
    id: descriptor.id,
    version: descriptor.version,
    optional: false,
  }));
  const plan = await staging.phases.run(
    { name: 'detect' },
    () =>
      detectCnbs({
        groups: flatGroups([entries], (id, version) => find(all, id, version)?.descriptor),
        directoryOf: ({ descriptor }) => demanded(all, descriptor.id, descriptor.version),
        base,
        platform: request.env,
        ports: scripts,
      }),
    ({ group }) => group.map(({ descriptor }) => `${descriptor.id}@${descriptor.version}`).join(', '),
  );
  const built = await staging.phases.run({ name: 'compile' }, () =>
    buildCnbs(plan, { base, platform: request.env, ports: scripts }),
  );
  const merged = mergeCnbProcesses(built.map(({ launch }) => launch.processes));
  const processes = withWeb(merged);
  await keepLaunchLayers(home, built);
  await ownedByScripts(join(home, 'layers/config'), staging.ports.sandbox.owner);
  await writeFile(
    join(home, 'layers/config/metadata.toml'),
    metadataToml(built, processes, merged.defaultType),
    { flag: 'wx' },
  );
  await staging.phases.run({ name: 'droplet' }, () => writeDroplet(home, request, signal));
  workspace.succeeded();
  return resultOf(built, processes);
}

async function acquireAll(staging: Staging, parts: CnbAcquire): Promise<readonly AcquiredCnb[]> {
  const acquire = async (): Promise<readonly AcquiredCnb[]> => {
    const list: AcquiredCnb[] = [];
    for (const [index, reference] of staging.request.buildpacks.entries())
      list.push(await acquireCnb(reference, index, parts));
    return list;
  };
  return await staging.phases.run({ name: 'buildpacks' }, acquire, (list) =>
    formatCount(list.length, 'buildpack'),
  );
}

function find(all: readonly CnbDirectory[], id: string, version: string): CnbDirectory | undefined {
  return all.find(
    ({ descriptor }) => descriptor.id === id && (version === '' || descriptor.version === version),
  );
}

function demanded(all: readonly CnbDirectory[], id: string, version: string): CnbDirectory {
  const found = find(all, id, version);
  if (found === undefined) throw new Error(`${id}@${version} was there a moment ago`);
  return found;
}

function scriptPorts(
  staging: Staging,
  places: CnbScriptPorts['places'],
  rootfs: CnbScriptPorts['rootfs'],
): CnbScriptPorts {
  const { request, ports, signal } = staging;
  const network = staging.network();
  if (network.warning !== undefined) staging.warn('network-shared', network.warning);
  return {
    sandbox: ports.sandbox,
    rootfs,
    places,
    limits: {
      memoryBytes: request.memoryMb * MEBIBYTE,
      pids: PIDS,
      diskBytes: request.diskMb * MEBIBYTE,
      files: MAX_FILES,
      wallMs: request.timeoutMs,
      openFiles: OPEN_FILES,
    },
    network: network.kind,
    owner: staging.build,
    report: staging.report,
    clock: ports.clock,
    redact: createRedactor(secretValues(request.services)),
    signal,
  };
}

function baseEnvironment(stack: string): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: CNB_INSIDE.home,
    CNB_STACK_ID: stack,
  };
}

async function writePlatform(platform: string, env: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(platform, 'env'), { recursive: true });
  for (const path of [platform, join(platform, 'env')]) await chmod(path, 0o755);
  for (const [name, value] of Object.entries(env)) {
    if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
      await writeFile(join(platform, 'env', name), value, { mode: 0o644 });
  }
}

/** `layers/config/metadata.toml`, from which the launcher works. */
function metadataToml(
  built: readonly BuiltCnb[],
  processes: readonly CnbProcess[],
  defaultType: string | undefined,
): string {
  return stringify({
    ...(defaultType !== undefined && { 'buildpack-default-process-type': defaultType }),
    buildpacks: built.map(({ buildpack: { descriptor } }) => ({
      id: descriptor.id,
      version: descriptor.version,
      api: `0.${descriptor.api}`,
      ...(descriptor.homepage !== '' && { homepage: descriptor.homepage }),
    })),
    processes: processes.map(({ type, command, args, direct, workingDir, buildpack }) => ({
      type,
      command: [...command],
      args: [...args],
      direct,
      ...(workingDir !== undefined && { 'working-dir': workingDir }),
      'buildpack-id': buildpack,
    })),
  });
}

function resultOf(built: readonly BuiltCnb[], processes: readonly CnbProcess[]): CnbResult {
  return {
    lifecycle_metadata: {
      buildpacks: built.map(
        ({
          buildpack: {
            descriptor: { id, version },
          },
        }) => ({ key: id, name: `${id}@${version}`, version }),
      ),
    },
    process_types: Object.fromEntries(
      processes.map(({ type, command, args }) => [type, [...command, ...args].join(' ')]),
    ),
    execution_metadata: '',
    lifecycle_type: 'cnb',
  };
}

/** `layers/…` and `workspace/…`; absolute links into the home directory become relative. */
async function writeDroplet(
  home: string,
  request: StageRequest & { readonly output: string },
  signal: AbortSignal,
): Promise<void> {
  const { compression, sourceDateEpoch, output } = request;
  const entries: EntrySource = function* (onSkipped, atEnd) {
    const roots = ['layers', 'workspace'].map(
      (name) => ({ kind: 'tree', hostPath: join(home, name), archivePath: name }) as const,
    );
    for (const entry of walkRoots(roots, {
      onSkipped,
      atEnd,
      ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
    })) {
      const inside = `${CNB_INSIDE.home}/`;
      if (entry.type !== 'symlink' || !entry.link.startsWith(inside)) yield entry;
      else
        yield {
          ...entry,
          link: '../'.repeat(entry.name.split('/').length - 1) + entry.link.slice(inside.length),
        };
    }
  };
  const packed = packEntries(entries, {
    signal,
    ...(compression !== undefined && { compression }),
    maxBytes: request.diskMb * MEBIBYTE,
  });
  await replaceFileWith(output, async (to) => {
    await pipeline(packed.body, to, { signal });
    await packed.summary;
  });
}
