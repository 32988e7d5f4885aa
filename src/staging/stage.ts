/**
 * The whole story of one staging: source → workspace → buildpacks → droplet → blobstore → record.
 *
 * Takes a plain request and the ports, tells what happens through `emit`, and returns the record. It does not
 * print, exit or read the environment. However it ends, no process, no workspace (unless `keep` asks for it) and
 * no half-written blob is left; the record is written last.
 */
import type { Emit } from '../words/events.ts';
import type { StagingRecord } from '../words/staging-record.ts';
import { recorded } from './recorded.ts';
import { checkLimits, type StageRequest } from './request/request.ts';
import { fillApp, packageApp } from './steps/app.ts';
import { saveCache } from './steps/build-cache.ts';
import { lockIfAsked, resolveBuildpacks } from './steps/buildpacks.ts';
import { openBundle, saveBundle } from './steps/bundle.ts';
import { demandOutput, storeResult } from './steps/droplet.ts';
import { installedIn } from './steps/installed.ts';
import { recordOf, reusable, reuseKeyOf } from './steps/record.ts';
import { runScripts } from './steps/scripts.ts';
import { verifiedStack } from './steps/stack.ts';
import { type StagePorts, Staging } from './steps/staging.ts';
import { OfferedTrees } from './steps/unpacked.ts';
import { openWorkspace } from './steps/workspace.ts';

/**
 * Stages one app.
 *
 * @throws StagerError of any code in docs/errors.md; `staging-ended` was emitted before with the same failure.
 */
export async function stageApp(
  request: StageRequest,
  ports: StagePorts,
  io: { readonly signal: AbortSignal; readonly emit: Emit },
): Promise<StagingRecord> {
  return await recorded(new Staging(request, ports, io), run);
}

async function run(staging: Staging): Promise<StagingRecord> {
  checkLimits(staging.request);
  await demandOutput(staging);
  await openBundle(staging);
  const finding = verifiedStack(staging);
  const app = await packageApp(staging);
  const stack = await finding;
  await using buildpacks = await resolveBuildpacks(staging, stack, app.source);
  const reuseKey = reuseKeyOf(staging, { app, stack, buildpacks });
  const earlier = await reusable(staging, reuseKey);
  if (earlier !== undefined) {
    await lockIfAsked(staging, { stack, buildpacks }, earlier);
    return earlier;
  }
  await using workspace = await openWorkspace(staging);
  await using layered = await fillApp(staging, app, workspace);
  await using trees = new OfferedTrees(staging);
  const built = await runScripts(staging, { app: app.source, stack, buildpacks, workspace, trees });
  trees.keep(workspace);
  layered?.keep();
  const dependencies = await installedIn(workspace.deps);
  const droplet = await storeResult(staging, { built, workspace, layered });
  const buildCache = await saveCache(staging, { workspace, keys: built.buildpacks.map(({ key }) => key) });
  await saveBundle(staging, { workspace, buildpacks: built.buildpacks, dependencies });
  await lockIfAsked(staging, { stack, buildpacks }, built);
  await trees.settled();
  await layered?.settled();
  workspace.succeeded();
  return recordOf(staging, { package: app.package, built, dependencies, droplet, buildCache, reuseKey });
}
