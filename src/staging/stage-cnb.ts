/**
 * Cloud Foundry's cnb lifecycle: an app and Cloud Native Buildpacks become a droplet. The phases are run by us, each
 * script in a sandbox of its own, with what the specification and Cloud Foundry's builder promise it.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RegistryClient } from '../stores/registry/client.ts';
import { StagerError } from '../words/errors.ts';
import type { Emit } from '../words/events.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { buildCnbs } from './cnb/cnb-build.ts';
import { detectCnbs } from './cnb/cnb-detect.ts';
import { mergeCnbProcesses, withWeb } from './cnb/cnb-launch.ts';
import { keepLaunchLayers } from './cnb/cnb-layers.ts';
import { CNB_METADATA, cnbResult, metadataToml } from './cnb/cnb-metadata.ts';
import { collectSboms } from './cnb/cnb-sbom.ts';
import { recorded } from './recorded.ts';
import { checkLimits, type StageRequest } from './request/request.ts';
import { packageApp } from './steps/app.ts';
import { CnbCache } from './steps/cnb-cache.ts';
import { packCnbDroplet } from './steps/cnb-droplet.ts';
import { acquireCnbs, cnbDirectoryOf, cnbGroups, cnbOrderFacts, cnbRecords } from './steps/cnb-order.ts';
import { cnbBaseEnvironment, cnbScriptPorts, cnbUserVariables, openCnbPlaces } from './steps/cnb-places.ts';
import { demandOutput, storePackedBy } from './steps/droplet.ts';
import { recordOf, reusable, reuseKeyOf } from './steps/record.ts';
import { verifiedStack } from './steps/stack.ts';
import { type StagePorts, Staging } from './steps/staging.ts';
import { openWorkspace } from './steps/workspace.ts';

/** Everything that a staging with Cloud Native Buildpacks works with. */
export type CnbPorts = StagePorts & { readonly client: RegistryClient };

/**
 * Stages `request` with Cloud Native Buildpacks; the droplet is stored and recorded as that of any staging, and
 * written to `output` when that is given.
 *
 * @throws StagerError of any code in docs/errors.md; `staging-ended` was emitted before with the same failure.
 */
export async function stageAppWithCnbs(
  request: StageRequest,
  ports: CnbPorts,
  io: { readonly signal: AbortSignal; readonly emit: Emit },
): Promise<StagingRecord> {
  return await recorded(new Staging(request, ports, io), (staging) => run(staging, ports.client));
}

async function run(staging: Staging, client: RegistryClient): Promise<StagingRecord> {
  const { request, signal, phases } = staging;
  checkLimits(request);
  refuseLock(request);
  refuseBundle(request);
  await demandOutput(staging);
  const finding = verifiedStack(staging);
  const app = await packageApp(staging);
  const stack = await finding;
  await using workspace = await openWorkspace(staging);
  const temp = join(workspace.root, 'cnb');
  await mkdir(temp, { mode: 0o711 });
  const order = await acquireCnbs(staging, { temp, client });
  const reuseKey = reuseKeyOf(staging, { app, stack, buildpacks: cnbOrderFacts(order) });
  const earlier = await reusable(staging, reuseKey);
  if (earlier !== undefined) {
    workspace.succeeded();
    return earlier;
  }
  const places = await openCnbPlaces(staging, workspace, app);
  const { home } = places;
  const parts = {
    base: cnbBaseEnvironment(staging, order.stackId),
    platform: await cnbUserVariables(staging, places, stack.rootfs),
    ports: await cnbScriptPorts(staging, places, stack.rootfs),
  };
  const plan = await phases.run(
    { name: 'detect' },
    () =>
      detectCnbs({
        ...parts,
        groups: cnbGroups(order),
        directoryOf: (entry) => cnbDirectoryOf(order, entry),
      }),
    ({ group }) => group.map(({ descriptor }) => `${descriptor.id}@${descriptor.version}`).join(', '),
  );
  const cache = new CnbCache(staging, home);
  await cache.restore(plan.group);
  const built = await phases.run({ name: 'compile' }, () => buildCnbs(plan, parts));
  const { owner } = parts.ports.sandbox;
  await collectSboms(home, built, owner);
  const buildCache = await cache.save(built);
  const merged = mergeCnbProcesses(built.map(({ launch }) => launch.processes));
  const processes = withWeb(merged);
  await keepLaunchLayers(home, built, cache.reuse);
  await home.remove(dirname(CNB_METADATA));
  await home.write(CNB_METADATA, metadataToml(built, processes, merged.defaultType), owner);
  const droplet = await storePackedBy(staging, await packCnbDroplet(home));
  workspace.succeeded();
  return recordOf(staging, {
    package: app.package,
    built: { buildpacks: await cnbRecords(plan.group, signal), result: cnbResult(built, processes) },
    droplet,
    buildCache,
    reuseKey,
  });
}

/** stager.lock pins buildpacks by their digests as this machine stores them; Cloud Native ones are not stored. */
function refuseLock({ lock }: StageRequest): void {
  if (lock === undefined) return;
  throw new StagerError('USAGE', 'stager.lock cannot pin Cloud Native Buildpacks', {
    next: 'Leave --lock and --frozen out, and name buildpacks by digest: docker://IMAGE@sha256:…, or a URL with #sha256=….',
  });
}

/** What they fetch lies in layers of theirs. @throws StagerError USAGE. */
function refuseBundle({ bundle }: StageRequest): void {
  if (bundle === undefined) return;
  throw new StagerError('USAGE', 'stagings with Cloud Native Buildpacks have no bundles', {
    next: 'Leave out --record-dependencies and --offline.',
  });
}
