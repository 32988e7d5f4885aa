/** Tries buildpacks in order until one takes the app; returns a table, not only a winner. */

import { removeBelow } from '../../../machine/host/remove-below.ts';
import { StagerError } from '../../../words/errors.ts';
import type { ResolvedBuildpack, StagedBuildpack } from '../contract/staged.ts';
import { isShowstopper, outcomePhrase, scriptFailure } from './failure.ts';
import { phaseOf, type Session, scriptMode, start, warn } from './session.ts';

/** One try. */
export interface DetectTry {
  readonly buildpack: string;
  readonly version?: string;
  /** How it ended: `exit 1`, `no bin/detect`, `killed by SIGKILL` … */
  readonly outcome: string;
  /** When it exited by itself. */
  readonly exitStatus?: number;
  /** First line of what it wrote to stdout, without secrets. */
  readonly firstLine: string;
  readonly durationMs: number;
}

/** The buildpack that took the app, with what its detect printed (its name), and the whole table. */
export interface Detected {
  readonly winner?: { readonly buildpack: StagedBuildpack; readonly output: string };
  readonly tries: readonly DetectTry[];
}

/**
 * Runs detect of each candidate in order; exit 0 wins, everything else means the next one. A script without
 * execute permission is named in a warning and still tried.
 *
 * @param bring copies a candidate into the workspace.
 * @throws StagerError STAGING_TIMEOUT, OUT_OF_DISK, CANCELLED: no later candidate could do better.
 */
export async function detect(
  session: Session,
  candidates: readonly ResolvedBuildpack[],
  bring: (candidate: ResolvedBuildpack) => Promise<StagedBuildpack>,
): Promise<Detected> {
  const tries: DetectTry[] = [];
  for (const candidate of candidates) {
    const buildpack = await bring(candidate);
    const tried = await tryOne(session, buildpack);
    tries.push(tried.row);
    if (tried.output !== undefined) return { winner: { buildpack, output: tried.output }, tries };
    // A refused one would count against the disk limit of the one that builds.
    await removeBelow(session.runner.setting.workspace.root, buildpack.copy);
  }
  return { tries };
}

async function tryOne(
  session: Session,
  buildpack: StagedBuildpack,
): Promise<{ readonly row: DetectTry; readonly output?: string }> {
  const phase = phaseOf('detect', buildpack);
  const about = {
    buildpack: buildpack.name,
    ...(buildpack.version !== undefined && { version: buildpack.version }),
  };
  const mode = await scriptMode(buildpack, 'detect');
  if (mode === undefined) {
    warn(session, {
      code: 'detect-missing',
      message: `${buildpack.name} has no bin/detect and was skipped`,
      phase,
    });
    return { row: { ...about, outcome: 'no bin/detect', firstLine: '', durationMs: 0 } };
  }
  if ((mode & 0o111) === 0) {
    const message = `bin/detect of ${buildpack.name} is not executable (mode 0${mode.toString(8)})`;
    warn(session, { code: 'detect-not-executable', message, phase });
  }
  const { report, stdout } = await start(session, buildpack, 'detect', { phase, capture: true });
  const failed = {
    phase,
    script: 'bin/detect',
    code: 'NO_APP_DETECTED',
    timeoutMs: session.runner.setting.limits.wallMs,
  } as const;
  if (isShowstopper(report.outcome)) {
    const failure = scriptFailure(report.outcome, failed, session.runner.ports.signal);
    if (failure !== undefined) throw failure;
  }
  const output = stdout.toString('utf8').replace(/[\r\n]+$/, '');
  const row: DetectTry = {
    ...about,
    outcome: outcomePhrase(report.outcome),
    ...(report.outcome.kind === 'exited' && { exitStatus: report.outcome.code }),
    firstLine: session.runner.setting.filter.redact(output.split(/\r?\n/, 1)[0] ?? '').slice(0, 200),
    durationMs: Math.round(report.durationMs),
  };
  const taken = report.outcome.kind === 'exited' && report.outcome.code === 0;
  return taken ? { row, output } : { row };
}

/** NO_APP_DETECTED; `details.tries` is the table. */
export function nothingDetected(tries: readonly DetectTry[]): StagerError {
  const message =
    tries.length === 0
      ? 'no buildpack is installed and enabled for this stack, and none was named'
      : `None of the buildpacks detected a compatible application (${tries.length} tried)`;
  return new StagerError('NO_APP_DETECTED', message, {
    phase: 'detect',
    next:
      tries.length === 0
        ? 'Name one with --buildpack, or install one with `stager buildpack add NAME SOURCE`.'
        : 'Name the right one with --buildpack, or check that the directory is the root of the app.',
    details: { tries },
  });
}
