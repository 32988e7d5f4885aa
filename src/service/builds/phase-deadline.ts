/** Ends a staging that takes too long as a whole, or in one of its phases, and says where it was. */
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import type { BuildEvent, PhaseName } from '../../words/events.ts';

export interface DeadlineLimits {
  /** Milliseconds that the whole may take. */
  readonly totalMs: number;
  /** Milliseconds that one run of a phase may take, where that is less. */
  readonly phaseMs?: Readonly<Partial<Record<PhaseName, number>>>;
}

const MINUTE_MS = 60_000;

/** Phases in which no script of a buildpack runs are bounded more tightly. */
export const DEFAULT_PHASE_MS = {
  source: 5 * MINUTE_MS,
  buildpacks: 10 * MINUTE_MS,
  workspace: 5 * MINUTE_MS,
  detect: 5 * MINUTE_MS,
  'restore-cache': 5 * MINUTE_MS,
  release: 2 * MINUTE_MS,
  droplet: 10 * MINUTE_MS,
  'save-cache': 5 * MINUTE_MS,
} as const satisfies Partial<Record<PhaseName, number>>;

const LAST_LINE = 200;

/** Takes the events of one staging; `signal` fires with a STAGING_TIMEOUT. */
export class PhaseDeadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  readonly #limits: DeadlineLimits;
  readonly #cancelTotal: () => void;
  readonly #startedAt: number;
  #cancelPhase: (() => void) | undefined;
  #phase = 'start';
  #phaseAt: number;
  #lastLine = '';

  constructor(clock: Clock, limits: DeadlineLimits) {
    this.signal = this.#abort.signal;
    this.#clock = clock;
    this.#limits = limits;
    this.#startedAt = clock.now();
    this.#phaseAt = this.#startedAt;
    this.#cancelTotal = clock.schedule(limits.totalMs, () => this.#fire('in all', limits.totalMs));
  }

  take(event: BuildEvent): void {
    if (event.type === 'output' && event.text.trim() !== '') this.#lastLine = event.text;
    if (event.type !== 'phase-started') return;
    const { name, buildpack } = event.phase;
    this.#phase = buildpack === undefined ? name : `${name} of ${buildpack}`;
    this.#phaseAt = this.#clock.now();
    this.#cancelPhase?.();
    const limit = this.#limits.phaseMs?.[name];
    this.#cancelPhase =
      limit === undefined
        ? undefined
        : this.#clock.schedule(limit, () => this.#fire('for this phase', limit));
  }

  [Symbol.dispose](): void {
    this.#cancelTotal();
    this.#cancelPhase?.();
  }

  #fire(what: string, limitMs: number): void {
    const now = this.#clock.now();
    const [inPhase, inAll] = [seconds(now - this.#phaseAt), seconds(now - this.#startedAt)];
    const line = this.#lastLine.trim().slice(0, LAST_LINE);
    const said = line === '' ? 'it wrote nothing' : `its last line: ${line}`;
    this.#abort.abort(
      new StagerError(
        'STAGING_TIMEOUT',
        `${this.#phase} took ${inPhase} s (${inAll} s in all); the limit ${what} is ${seconds(limitMs)} s; ${said}`,
        { next: 'Make it faster, or ask for a longer limit.', details: { phase: this.#phase, limitMs } },
      ),
    );
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}
