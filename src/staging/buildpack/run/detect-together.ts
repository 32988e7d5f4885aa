/**
 * Detect of several buildpacks in one sandbox: a container for each of a dozen scripts that look for a file took most of
 * the time until one was found. Only for neighbours in the order that ship with stager, whose scripts read and do nothing
 * else; all others have a sandbox each (docs/decisions/one-sandbox-a-script.md).
 */
import { INSIDE } from '../../workspace/layout.ts';
import { familyPaths } from '../contract/contract.ts';
import type { ResolvedBuildpack, StagedBuildpack } from '../contract/staged.ts';
import { type Session, scriptMode } from './session.ts';

/** How a detect ended. */
export interface EndedDetect {
  /** A phrase for people. */
  readonly outcome: string;
  /** When it exited by itself. */
  readonly exitStatus?: number;
  readonly stdout: string;
  readonly durationMs: number;
}

/** Each is copied into the workspace first, whether its turn comes or not. */
const MOST = 6;
/** Above it, a shell says that the script could not be started or was killed. */
const LAST_STATUS = 125;
/** Control characters that none of these scripts prints. */
const [END_OF_STATUS, END_OF_OUTPUT] = ['\x1f', '\x1e'];
/** Arguments: the app's directory, then roots of buildpacks. Ends with the first that takes the app. */
const SCRIPT = `app=$1; shift
for root; do
  out=$(cd "$root" && unset OLDPWD && exec "$root/bin/detect" "$app")
  status=$?
  printf '%s\\037%s\\036' "$status" "$out"
  [ "$status" != 0 ] || exit 0
done`;

/** The candidate at `at`, and those after it that can be tried in the same sandbox. */
export function neighboursThatShip(
  candidates: readonly ResolvedBuildpack[],
  at: number,
): readonly ResolvedBuildpack[] {
  const near = candidates.slice(at, at + MOST);
  const others = near.findIndex(({ ships, family }) => ships !== true || family !== near[0]?.family);
  return near.slice(0, others === -1 ? near.length : Math.max(others, 1));
}

/**
 * Tries them in order, up to the one that takes the app.
 *
 * @returns undefined when it was not possible, or not all went as it should: then each is to be tried alone.
 * @throws StagerError CANCELLED, STAGING_TIMEOUT, SANDBOX_FAILED.
 */
export async function detectTogether(
  session: Session,
  buildpacks: readonly StagedBuildpack[],
): Promise<readonly (EndedDetect & { readonly buildpack: StagedBuildpack })[] | undefined> {
  const [first] = buildpacks;
  if (first === undefined || buildpacks.length === 1 || session.trace) return undefined;
  for (const buildpack of buildpacks)
    if (((await scriptMode(buildpack, 'detect')) ?? 0) % 2 === 0) return undefined;
  const { buildDir, links } = familyPaths(first.family);
  const { report, stdout, truncated } = await session.runner.run({
    phase: { name: 'detect' },
    script: 'bin/detect',
    argv: ['/bin/sh', '-c', SCRIPT, 'detect', buildDir, ...buildpacks.map(({ insideRoot }) => insideRoot)],
    cwd: INSIDE.buildpacks,
    env: session.env.processEnv(first.family),
    links,
    capture: true,
  });
  if (report.outcome.kind !== 'exited' || truncated) return undefined;
  const frames = stdout.toString('utf8').split(END_OF_OUTPUT).slice(0, -1);
  const ended = frames.map((frame) => {
    const [status = '', ...rest] = frame.split(END_OF_STATUS);
    return { exitStatus: Number.parseInt(status, 10), stdout: rest.join(END_OF_STATUS) };
  });
  const taken = ended.findIndex(({ exitStatus }) => exitStatus === 0);
  const expected = taken === -1 ? buildpacks.length : taken + 1;
  if (ended.length !== expected || !ended.every(({ exitStatus }) => exitStatus <= LAST_STATUS))
    return undefined;
  // They are not timed one by one.
  const durationMs = report.durationMs / expected;
  return buildpacks
    .slice(0, expected)
    .map((buildpack, index) => ({ buildpack, durationMs, ...endedOf(ended[index]) }));
}

function endedOf(ended: { readonly exitStatus: number; readonly stdout: string } | undefined) {
  const { exitStatus, stdout } = ended ?? { exitStatus: 1, stdout: '' };
  return { outcome: `exit ${exitStatus}`, exitStatus, stdout };
}
