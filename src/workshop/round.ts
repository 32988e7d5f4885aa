/** Runs a buildpack once on a fixture and records what each script left. */

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { copyTree } from '../machine/host/copy-tree.ts';
import { readSmall } from '../machine/host/read-small.ts';
import { removeTree } from '../machine/host/remove-tree.ts';
import type { DetectTry } from '../staging/buildpack/run/detect.ts';
import {
  type BuildpacksOutcome,
  type RunInput,
  runBuildpacks,
} from '../staging/buildpack/run/run-buildpacks.ts';
import type { StageRequest } from '../staging/request/request.ts';
import { fillApp, openApp } from '../staging/steps/app.ts';
import { resolveBuildpacks } from '../staging/steps/buildpacks.ts';
import { scriptRun } from '../staging/steps/scripts.ts';
import { type StagePorts, Staging } from '../staging/steps/staging.ts';
import { openWorkspace } from '../staging/steps/workspace.ts';
import type { Workspace } from '../staging/workspace/layout.ts';
import { errorReport } from '../words/error-report.ts';
import { isStagerError } from '../words/errors.ts';
import type { BuildEvent, Emit, ErrorReport } from '../words/events.ts';
import { AREAS, areaPath, takeSnapshot } from './area-snapshot.ts';
import { launchEnvironment } from './launch-env.ts';
import { ObservedPhases, type PhaseTrace, type ScriptPhase } from './observed-phases.ts';
import type { SeenPhase, SeenRound } from './seen.ts';

/** One round to do. */
export interface RoundInput {
  readonly request: StageRequest;
  readonly ports: StagePorts;
  readonly signal: AbortSignal;
  /** Ask detect; otherwise the order is taken as given. */
  readonly detect: boolean;
  /** Cache directory of an earlier round. */
  readonly cache?: string;
  readonly emit: Emit;
}

/** Runs the round and hands it to `use` while its workspace is there. */
export async function withRound<T>(
  input: RoundInput,
  use: (seen: SeenRound, workspace: Workspace) => Promise<T>,
): Promise<T> {
  const { request, ports, signal, emit } = input;
  const events: BuildEvent[] = [];
  const staging = new Staging(request, ports, {
    signal,
    emit: (event) => {
      if (event.type === 'output' || event.type === 'phase-ended') events.push(event);
      return emit(event);
    },
  });
  const stack = await ports.stack(request.stack);
  const app = await openApp(staging);
  await using buildpacks = await resolveBuildpacks(staging, stack, app);
  await using workspace = await openWorkspace(staging);
  await fillApp(staging, { source: app }, workspace);
  const run = await scriptRun(staging, { stack, buildpacks, workspace });
  const observed = new ObservedPhases({
    report: staging.report,
    now: ports.now,
    look: () => takeSnapshot(workspace, signal),
  });
  const outcome = await runBuildpacks(
    {
      ...run,
      mode: input.detect ? 'detect' : 'explicit',
      restoreCache: () => restore({ ...input, ports: staging.ports }, workspace),
    },
    { sandbox: staging.ports.sandbox, signal, report: staging.report, clock: ports.clock, phases: observed },
  );
  if (isStagerError(outcome.kind === 'failed' ? outcome.error : undefined, 'CANCELLED'))
    signal.throwIfAborted();
  const seen = await seenOf({ outcome, observed, events, run, input: { ...input, ports: staging.ports } });
  const result = await use(seen, workspace);
  workspace.succeeded();
  return result;
}

async function restore({ cache, ports, signal }: RoundInput, workspace: Workspace): Promise<void> {
  if (cache === undefined) return;
  await removeTree(workspace.cache);
  await copyTree(cache, workspace.cache, { owner: ports.sandbox.owner, signal });
}

interface Ended {
  readonly outcome: BuildpacksOutcome;
  readonly observed: ObservedPhases;
  readonly events: readonly BuildEvent[];
  readonly run: RunInput;
  readonly input: RoundInput;
}

async function seenOf({ outcome, observed, events, run, input }: Ended): Promise<SeenRound> {
  const { workspace } = run;
  const [detect] = outcome.tries ?? [];
  const error = outcome.kind === 'failed' ? errorReport(outcome.error) : undefined;
  const files = new Set((await takeSnapshot(workspace, input.signal)).keys());
  const { result } = outcome;
  return {
    phases: phasesOf(observed.traces, events, { detect, error }),
    ...(detect !== undefined && { detect }),
    ...(error !== undefined && { error }),
    files,
    envFiles: await envFiles(workspace),
    launchEnv: outcome.kind === 'staged' ? await launchEnvironment({ ...input, run }) : {},
    processes: result?.process_types ?? {},
    sidecars: Object.fromEntries((result?.sidecars ?? []).map(({ name, command }) => [name, command])),
    read: (path) => readLeft(workspace, path),
  };
}

interface Endings {
  readonly detect: DetectTry | undefined;
  readonly error: ErrorReport | undefined;
}

function phasesOf(
  traces: readonly PhaseTrace[],
  events: readonly BuildEvent[],
  endings: Endings,
): readonly SeenPhase[] {
  const lines = new Map<string, string[]>();
  const times = new Map<string, number>();
  let open = '';
  for (const event of events) {
    if (event.type === 'phase-ended') times.set(keyOf(event.phase), event.durationMs);
    if (event.type !== 'output') continue;
    const said = lines.get(keyOf(event.phase)) ?? [];
    lines.set(keyOf(event.phase), said);
    // Pieces of a line that was long in coming make one line.
    open += event.text;
    if (event.partial === true) continue;
    said.push(open);
    open = '';
  }
  return traces.map((trace, index) => {
    const key = keyOf({ name: trace.phase, ...trace });
    const isLast = index === traces.length - 1;
    return {
      ...trace,
      ...endingOf(trace.phase, isLast ? endings : { ...endings, error: undefined }),
      durationMs: Math.round(times.get(key) ?? 0),
      log: lines.get(key) ?? (trace.phase === 'detect' ? linesOf(lines, 'detect') : []),
    };
  });
}

const keyOf = (phase: { readonly name: string; readonly buildpack?: string }): string =>
  `${phase.name} ${phase.buildpack ?? ''}`;

/** The phase of detect as a whole names no buildpack, its scripts do. */
function linesOf(lines: ReadonlyMap<string, readonly string[]>, phase: string): readonly string[] {
  return [...lines].flatMap(([key, said]) => (key.startsWith(`${phase} `) ? said : []));
}

function endingOf(phase: ScriptPhase, { detect, error }: Endings): Pick<SeenPhase, 'exitStatus' | 'outcome'> {
  if (phase === 'detect' && detect !== undefined) {
    const { exitStatus, outcome } = detect;
    return { outcome, ...(exitStatus !== undefined && { exitStatus }) };
  }
  if (error === undefined) return { exitStatus: 0, outcome: 'exit 0' };
  const status = error.details['exitStatus'];
  if (typeof status === 'number') return { exitStatus: status, outcome: `exit ${status}` };
  return { outcome: error.code };
}

async function envFiles(workspace: Workspace): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const index of await namesMadeIn(workspace.deps)) {
    for (const name of await namesMadeIn(join(workspace.deps, index, 'env'))) {
      const file = await readSmall(join(workspace.deps, index, 'env', name), workspace.deps);
      if (file.kind === 'text') found[`deps/${index}/env/${name}`] = file.text;
    }
  }
  return found;
}

/** Names in a directory that a script made; nothing for a link, which could lead anywhere. */
async function namesMadeIn(path: string): Promise<string[]> {
  const facts = await lstat(path).catch(() => undefined);
  return facts?.isDirectory() === true ? (await readdir(path)).sort() : [];
}

async function readLeft(workspace: Workspace, path: string): Promise<string | undefined> {
  const area = AREAS.find((it) => path.startsWith(`${it}/`));
  if (area === undefined) return undefined;
  const file = await readSmall(join(areaPath(workspace, area), path.slice(area.length + 1)), workspace.tmp);
  return file.kind === 'text' ? file.text : undefined;
}
