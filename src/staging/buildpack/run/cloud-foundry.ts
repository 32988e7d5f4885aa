/**
 * Supply, finalize, compile and release of the Cloud Foundry families, in the original's order
 * (buildpack-contracts.md 2.1; staging-internals.md 6.2).
 */
import { join } from 'node:path';
import { readSmall } from '../../../machine/host/read-small.ts';
import { removeBelow } from '../../../machine/host/remove-below.ts';
import { StagerError } from '../../../words/errors.ts';
import { phaseName } from '../../../words/phases.ts';
import { entriesOf, mergeProcesses, type ProcessEntry } from '../contract/process-list.ts';
import { parseLaunchYml, parseRelease, type ReleaseOutput } from '../contract/processes.ts';
import type { StagedBuildpack } from '../contract/staged.ts';
import { hasScript, mustRun, phaseOf, type Session, warn } from './session.ts';

/**
 * Runs supply of all but the last.
 *
 * @throws StagerError SUPPLY_FAILED, before any script has run when one of them has no supply.
 */
export async function supplyAll(session: Session, supplies: readonly StagedBuildpack[]): Promise<void> {
  for (const buildpack of supplies) await demandSupply(buildpack);
  for (const buildpack of supplies) {
    const phase = phaseOf('supply', buildpack);
    await session.phases.run(phase, () =>
      mustRun(session, buildpack, 'supply', { phase, code: 'SUPPLY_FAILED' }),
    );
  }
}

async function demandSupply(buildpack: StagedBuildpack): Promise<void> {
  if (await hasScript(buildpack, 'supply')) return;
  const phase = phaseOf('supply', buildpack);
  throw new StagerError(
    'SUPPLY_FAILED',
    `${buildpack.key} does not support multi-buildpack apps: it has no bin/supply and is not the last one`,
    {
      phase: phaseName(phase),
      next: 'Put it last, or leave it out; only buildpacks with bin/supply can come before others.',
      details: { buildpack: buildpack.key, position: buildpack.position },
    },
  );
}

/**
 * Runs the last buildpack: supply (if it has one) and finalize, or compile.
 *
 * @param isAlone no buildpack came before it.
 * @throws StagerError COMPILE_FAILED whichever of its scripts failed, as the original; the phase tells which.
 */
export async function finalizeLast(session: Session, last: StagedBuildpack, isAlone: boolean): Promise<void> {
  const code = 'COMPILE_FAILED';
  if (await hasScript(last, 'finalize')) {
    if (await hasScript(last, 'supply')) {
      const phase = phaseOf('supply', last);
      await session.phases.run(phase, () => mustRun(session, last, 'supply', { phase, code }));
    }
    const phase = phaseOf('finalize', last);
    await session.phases.run(phase, () => mustRun(session, last, 'finalize', { phase, code }));
    return;
  }
  const phase = phaseOf('compile', last);
  if (!isAlone) {
    warn(session, {
      code: 'finalize-missing',
      message: `${last.key} has no bin/finalize: as the last of several buildpacks it may not see what the others supplied`,
      phase,
    });
  }
  const { deps, root } = session.runner.setting.workspace;
  await removeBelow(root, join(deps, last.index));
  await session.phases.run(phase, () => mustRun(session, last, 'compile', { phase, code }));
}

/**
 * The processes that the buildpacks want: launch.yml of each in order; for the last one without a launch.yml its release.
 *
 * Cloud Foundry looks launch.yml up by the unpadded index and so misses those of ten and more buildpacks, and in detect
 * mode that of any but the only candidate; here the right file is read.
 *
 * @throws StagerError LAUNCH_YML_INVALID, RELEASE_FAILED.
 */
export async function buildpackProcesses(
  session: Session,
  supplies: readonly StagedBuildpack[],
  last: StagedBuildpack,
): Promise<readonly ProcessEntry[]> {
  let merged: readonly ProcessEntry[] = [];
  for (const buildpack of supplies) {
    merged = mergeProcesses(merged, (await launchYml(session, buildpack)) ?? []);
  }
  const ofLast = await launchYml(session, last);
  if (ofLast !== undefined) {
    session.phases.skip(phaseOf('release', last), 'launch.yml has the processes');
    return mergeProcesses(merged, ofLast);
  }
  const { processTypes } = await release(session, last);
  return mergeProcesses(merged, entriesOf(processTypes));
}

async function launchYml(
  session: Session,
  buildpack: StagedBuildpack,
): Promise<readonly ProcessEntry[] | undefined> {
  const { deps, root } = session.runner.setting.workspace;
  const file = await readSmall(join(deps, buildpack.index, 'launch.yml'), root);
  if (file.kind === 'absent') return undefined;
  const parsed =
    file.kind === 'text' ? parseLaunchYml(file.text) : ({ ok: false, reason: file.reason } as const);
  if (parsed.ok) return parsed.value;
  throw new StagerError(
    'LAUNCH_YML_INVALID',
    `launch.yml of ${buildpack.key} can't be used: ${parsed.reason}`,
    {
      next: 'It must be YAML with a list `processes` of type and command.',
      details: {
        buildpack: buildpack.key,
        path: `deps/${buildpack.index}/launch.yml`,
        reason: parsed.reason,
      },
    },
  );
}

/**
 * Runs `bin/release` and reads what it printed.
 *
 * @throws StagerError RELEASE_FAILED when it fails or prints what is not a release.
 */
export async function release(session: Session, buildpack: StagedBuildpack): Promise<ReleaseOutput> {
  const phase = phaseOf('release', buildpack);
  return await session.phases.run(phase, async () => {
    const { stdout, truncated } = await mustRun(session, buildpack, 'release', {
      phase,
      code: 'RELEASE_FAILED',
      capture: true,
    });
    const parsed = truncated
      ? ({ ok: false, reason: 'longer than 1 MiB' } as const)
      : parseRelease(stdout.toString('utf8'));
    if (parsed.ok) return parsed.value;
    throw new StagerError(
      'RELEASE_FAILED',
      `release output invalid: bin/release of ${buildpack.key}: ${parsed.reason}`,
      {
        phase: phaseName(phase),
        next: 'It must print YAML: default_process_types with one command for each type, or nothing.',
        details: { buildpack: buildpack.key, reason: parsed.reason },
      },
    );
  });
}
