/** Times the phases of a staging and reports them. */
import { isStagerError } from './errors.ts';
import type { PhaseRef, Report } from './events.ts';

/** One finished phase. */
export interface PhaseTiming {
  readonly phase: PhaseRef;
  readonly durationMs: number;
  readonly outcome: 'done' | 'skipped' | 'failed';
}

/** `supply[1] ruby`, `droplet`: how a phase is named in errors and tables. */
export function phaseName(phase: PhaseRef): string {
  const index = phase.index === undefined ? '' : `[${phase.index}]`;
  return `${phase.name}${index}${phase.buildpack === undefined ? '' : ` ${phase.buildpack}`}`;
}

/** Milliseconds that only go forward. */
export type Monotonic = () => number;

/** Runs phases one after another, keeps their times and names the phase in what they throw. */
export class Phases {
  readonly #report: Report;
  readonly #now: Monotonic;
  readonly #timings: PhaseTiming[] = [];

  constructor(report: Report, now: Monotonic) {
    this.#report = report;
    this.#now = now;
  }

  /** Finished phases, in order. */
  get timings(): readonly PhaseTiming[] {
    return this.#timings;
  }

  /**
   * Runs one phase. A StagerError that leaves it without a phase of its own gets this one's name.
   *
   * @param note one short fact about the result, for people.
   */
  async run<T>(
    phase: PhaseRef,
    step: () => Promise<T>,
    note?: (result: T) => string | undefined,
  ): Promise<T> {
    this.#report({ type: 'phase-started', phase });
    const startedAt = this.#now();
    try {
      const result = await step();
      this.#end({ phase, durationMs: this.#now() - startedAt, outcome: 'done' }, note?.(result));
      return result;
    } catch (error) {
      this.#end({ phase, durationMs: this.#now() - startedAt, outcome: 'failed' });
      if (!isStagerError(error) || error.phase !== undefined) throw error;
      throw error.with({ phase: phaseName(phase), cause: error.cause ?? error });
    }
  }

  /** Records a phase that had nothing to do. */
  skip(phase: PhaseRef, note: string): void {
    this.#end({ phase, durationMs: 0, outcome: 'skipped' }, note);
  }

  #end(ended: PhaseTiming, note?: string): void {
    const timing = { ...ended, durationMs: Math.round(ended.durationMs) };
    this.#timings.push(timing);
    this.#report({ type: 'phase-ended', ...timing, ...(note !== undefined && { note }) });
  }
}
