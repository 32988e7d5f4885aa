/** What the steps of one order share: the runner, the environment, and how to start a script of a buildpack. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { whyFull } from '../../../machine/host/full-disk.ts';
import { type Code, isStagerError, StagerError } from '../../../words/errors.ts';
import type { PhaseName, PhaseRef } from '../../../words/events.ts';
import type { Phases } from '../../../words/phases.ts';
import { INSIDE } from '../../workspace/layout.ts';
import { type ContractPaths, familyPaths, type ScriptName, scriptArgs } from '../contract/contract.ts';
import { shebangOf } from '../contract/family.ts';
import type { ProcessEntry } from '../contract/process-list.ts';
import type { StagedBuildpack } from '../contract/staged.ts';
import type { StagingEnvironment } from './env.ts';
import { scriptFailure } from './failure.ts';
import type { ScriptResult, ScriptRunner } from './run-script.ts';

/** The state of one run of an order. */
export interface Session {
  readonly runner: ScriptRunner;
  readonly env: StagingEnvironment;
  readonly phases: Phases;
  /** Run shell scripts with `-x`. */
  readonly trace: boolean;
  /** Sentences for the record; also reported as they come. */
  readonly warnings: string[];
}

/** The buildpacks' own part of a staged outcome. */
export interface BuildpackOutput {
  readonly processes: readonly ProcessEntry[];
  readonly configVars: ReadonlyMap<string, string>;
  readonly addons: readonly string[];
}

/** How to start a script other than in the plain way. */
export interface StartOptions {
  readonly phase: PhaseRef;
  /** Instead of the family's environment (exports of earlier Heroku buildpacks). */
  readonly env?: Readonly<Record<string, string>>;
  readonly capture?: boolean;
}

/** The phase of one script of a buildpack. */
export function phaseOf(name: PhaseName, buildpack: StagedBuildpack): PhaseRef {
  return { name, index: buildpack.position, buildpack: buildpack.name };
}

/** Whether the buildpack has a script; that it can be started is another matter. */
export async function hasScript(buildpack: StagedBuildpack, script: ScriptName): Promise<boolean> {
  return (await scriptMode(buildpack, script)) !== undefined;
}

/** Permission bits of a script; undefined when it is absent. */
export async function scriptMode(
  buildpack: StagedBuildpack,
  script: ScriptName,
): Promise<number | undefined> {
  const facts = await stat(join(buildpack.hostRoot, 'bin', script)).catch(() => undefined);
  return facts === undefined ? undefined : facts.mode & 0o777;
}

/** The arguments' paths for a buildpack. */
function pathsOf(buildpack: StagedBuildpack): ContractPaths {
  return {
    buildDir: familyPaths(buildpack.family).buildDir,
    cacheDir: buildpack.cacheDir,
    depsDir: INSIDE.deps,
    index: buildpack.index,
    profileDir: INSIDE.profileD,
    envDir: INSIDE.envDir,
  };
}

/** Starts a script; how it ended is a value. The working directory is the buildpack's root in every family. */
export async function start(
  session: Session,
  buildpack: StagedBuildpack,
  script: ScriptName,
  options: StartOptions,
): Promise<ScriptResult> {
  const program = join(buildpack.insideRoot, 'bin', script);
  const args = scriptArgs(script, buildpack.family, pathsOf(buildpack));
  const tracer = session.trace
    ? await tracing(join(buildpack.hostRoot, 'bin', script), session.runner.setting.workspace.root)
    : [];
  const [first, ...rest] = [...tracer, program, ...args];
  return await session.runner.run({
    phase: options.phase,
    script: `bin/${script}`,
    argv: [first ?? program, ...rest],
    cwd: buildpack.insideRoot,
    env: options.env ?? session.env.processEnv(buildpack.family),
    links: familyPaths(buildpack.family).links,
    ...(options.capture === true && { capture: true }),
  });
}

/** {@link start}, and a failure with `code` unless it exits with 0. */
export async function mustRun(
  session: Session,
  buildpack: StagedBuildpack,
  script: ScriptName,
  options: StartOptions & { readonly code: Code },
): Promise<ScriptResult> {
  const result = await start(session, buildpack, script, options);
  const { limits } = session.runner.setting;
  const failed = {
    phase: options.phase,
    script: `bin/${script}`,
    code: options.code,
    timeoutMs: limits.wallMs,
  };
  const failure = scriptFailure(result.report.outcome, failed, session.runner.ports.signal);
  if (failure !== undefined) throw await orFullDisk(failure, session.runner.setting.workspace.tmp);
  return result;
}

/** Scripts that find no space on the machine are not to blame. */
async function orFullDisk(failure: StagerError, path: string): Promise<StagerError> {
  if (!isStagerError(failure, 'SUPPLY_FAILED', 'COMPILE_FAILED', 'RELEASE_FAILED')) return failure;
  const why = await whyFull(path);
  if (why === undefined) return failure;
  return new StagerError('HOST_DISK_FULL', `${failure.message}, and ${why}`, {
    next: 'Free space there, or choose another place for the data home with --home.',
    ...(failure.phase !== undefined && { phase: failure.phase }),
    details: { ...failure.details, path },
    cause: failure,
  });
}

/** The interpreter of a shell script with `-x`, so that `$0` stays the script; nothing for other programs. */
async function tracing(path: string, root: string): Promise<readonly string[]> {
  const words = (await shebangOf(path, root))?.split(/\s+/) ?? [];
  const isShell = words.some((word) => /(^|\/)(ba|da|k|z)?sh$/.test(word));
  return isShell ? [...words, '-x'] : [];
}

/** Reports a warning and keeps it for the record. */
export function warn(
  session: Session,
  warning: { readonly code: string; readonly message: string; readonly phase?: PhaseRef },
): void {
  session.warnings.push(warning.message);
  session.runner.ports.report({ type: 'warning', ...warning });
}
