/** Tries buildpacks in order until one takes the app; returns a table, not only a winner. */

import { removeBelow } from '../../../machine/host/remove-below.ts';
import { StagerError } from '../../../words/errors.ts';
import type { ResolvedBuildpack, StagedBuildpack } from '../contract/staged.ts';
import { detectTogether, type EndedDetect, neighboursThatShip } from './detect-together.ts';
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
 * execute permission is named in a warning and still tried. Neighbours that ship with stager share a sandbox.
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
  for (let at = 0; at < candidates.length; ) {
    const group = neighboursThatShip(candidates, at);
    const brought: StagedBuildpack[] = [];
    for (const one of group) brought.push(await bring(one));
    const tried = await tryAll(session, brought);
    let winner: Detected['winner'];
    for (const [index, buildpack] of brought.entries()) {
      const one = tried[index];
      if (one !== undefined) tries.push(one.row);
      if (one?.output !== undefined) winner = { buildpack, output: one.output };
      // A refused one would count against the disk limit of the one that builds.
      else await removeBelow(session.runner.setting.workspace.root, buildpack.copy);
    }
    if (winner !== undefined) return { winner, tries };
    at += group.length;
  }
  return { tries };
}

/** What became of one; with `output` it took the app. */
interface Tried {
  readonly row: DetectTry;
  readonly output?: string;
}

/** Up to the one that takes the app. */
async function tryAll(session: Session, brought: readonly StagedBuildpack[]): Promise<readonly Tried[]> {
  const together = await detectTogether(session, brought);
  if (together !== undefined)
    return together.map(({ buildpack, ...ended }) => triedAs(session, buildpack, ended));
  const tried: Tried[] = [];
  for (const buildpack of brought) {
    const one = await tryOne(session, buildpack);
    tried.push(one);
    if (one.output !== undefined) break;
  }
  return tried;
}

async function tryOne(session: Session, buildpack: StagedBuildpack): Promise<Tried> {
  const phase = phaseOf('detect', buildpack);
  const mode = await scriptMode(buildpack, 'detect');
  if (mode === undefined) {
    warn(session, {
      code: 'detect-missing',
      message: `${buildpack.name} has no bin/detect and was skipped`,
      phase,
    });
    return triedAs(session, buildpack, { outcome: 'no bin/detect', stdout: '', durationMs: 0 });
  }
  if ((mode & 0o111) === 0) {
    const message = `bin/detect of ${buildpack.name} is not executable (mode 0${mode.toString(8)})`;
    warn(session, { code: 'detect-not-executable', message, phase });
  }
  const { report, stdout } = await start(session, buildpack, 'detect', { phase, capture: true });
  const { outcome, durationMs } = report;
  const failed = {
    phase,
    script: 'bin/detect',
    code: 'NO_APP_DETECTED',
    timeoutMs: session.runner.setting.limits.wallMs,
  } as const;
  if (isShowstopper(outcome)) {
    const failure = scriptFailure(outcome, failed, session.runner.ports.signal);
    if (failure !== undefined) throw failure;
  }
  return triedAs(session, buildpack, {
    outcome: outcomePhrase(outcome),
    ...(outcome.kind === 'exited' && { exitStatus: outcome.code }),
    stdout: stdout.toString('utf8'),
    durationMs,
  });
}

function triedAs(session: Session, { name, version }: StagedBuildpack, ended: EndedDetect): Tried {
  const { outcome, exitStatus, stdout, durationMs } = ended;
  const output = stdout.replace(/[\r\n]+$/, '');
  const row: DetectTry = {
    buildpack: name,
    ...(version !== undefined && { version }),
    outcome,
    ...(exitStatus !== undefined && { exitStatus }),
    firstLine: session.runner.setting.filter.redact(output.split(/\r?\n/, 1)[0] ?? '').slice(0, 200),
    durationMs: Math.round(durationMs),
  };
  return exitStatus === 0 ? { row, output } : { row };
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
