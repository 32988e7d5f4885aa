/** Looks at the workspace after each script of a buildpack. */
import type { PhaseName, PhaseRef, Report } from '../words/events.ts';
import { type Monotonic, Phases } from '../words/phases.ts';
import { type AreaSnapshot, type Changes, changesBetween } from './area-snapshot.ts';

/** The phases in which scripts run. */
export const SCRIPT_PHASES = ['detect', 'supply', 'finalize', 'compile', 'release'] as const;
export type ScriptPhase = (typeof SCRIPT_PHASES)[number];

/** What one phase left. */
export interface PhaseTrace {
  readonly phase: ScriptPhase;
  readonly buildpack?: string;
  readonly changes: Changes;
}

/** Phases that keep a trace of what each script changed. */
export class ObservedPhases extends Phases {
  readonly traces: PhaseTrace[] = [];
  readonly #look: () => Promise<AreaSnapshot>;
  #last: AreaSnapshot | undefined;

  constructor(ports: {
    readonly report: Report;
    readonly now: Monotonic;
    readonly look: () => Promise<AreaSnapshot>;
  }) {
    super(ports.report, ports.now);
    this.#look = ports.look;
  }

  override async run<T>(
    phase: PhaseRef,
    step: () => Promise<T>,
    note?: (result: T) => string | undefined,
  ): Promise<T> {
    const script = scriptPhase(phase.name);
    if (script === undefined) return await super.run(phase, step, note);
    // Before each, since what happens in between (a cache that is restored) is not a script's doing.
    const before = await this.#look();
    try {
      return await super.run(phase, step, note);
    } finally {
      const after = await this.#look();
      this.#last = after;
      this.traces.push({
        phase: script,
        ...(phase.buildpack !== undefined && { buildpack: phase.buildpack }),
        changes: changesBetween(before, after),
      });
    }
  }

  /** The last look that was taken. */
  get last(): AreaSnapshot {
    return this.#last ?? new Map();
  }
}

function scriptPhase(name: PhaseName): ScriptPhase | undefined {
  return SCRIPT_PHASES.find((it) => it === name);
}
