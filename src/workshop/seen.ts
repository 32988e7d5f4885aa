/** What one run of a buildpack over a fixture left, as data. */
import type { DetectTry } from '../staging/buildpack/run/detect.ts';
import type { ErrorReport } from '../words/events.ts';
import type { PhaseTrace, ScriptPhase } from './observed-phases.ts';

/** One phase, for people and programs. */
export interface SeenPhase extends PhaseTrace {
  /** When the script ended by itself. */
  readonly exitStatus?: number;
  /** How it ended otherwise, or why it did not run. */
  readonly outcome: string;
  readonly durationMs: number;
  /** Lines that it wrote, stdout of detect and release excluded. */
  readonly log: readonly string[];
}

/** One round: the scripts from an empty cache, or again from the cache of the first round. */
export interface SeenRound {
  readonly phases: readonly SeenPhase[];
  /** Absent when detect was not asked. */
  readonly detect?: DetectTry;
  readonly error?: ErrorReport;
  /** `area/path` of everything that is there at the end. */
  readonly files: ReadonlySet<string>;
  /** `deps/<idx>/env/NAME` → content: what later buildpacks see. */
  readonly envFiles: Readonly<Record<string, string>>;
  /** Variables that profile scripts set or change at launch. */
  readonly launchEnv: Readonly<Record<string, string>>;
  readonly processes: Readonly<Record<string, string>>;
  readonly sidecars: Readonly<Record<string, string>>;
  /** Content of a file that is left, `area/path`; undefined when it is absent or can't be read as text. */
  read(path: string): Promise<string | undefined>;
}

/** Exit statuses of the scripts that ran. */
export function exitsOf(round: SeenRound): Partial<Record<ScriptPhase, number>> {
  return Object.fromEntries(
    round.phases.flatMap(({ phase, exitStatus }) => (exitStatus === undefined ? [] : [[phase, exitStatus]])),
  );
}
