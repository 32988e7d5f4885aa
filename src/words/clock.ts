/** Time as a port: what waits takes a clock, so that tests decide when time passes. */

/** By how much the clocks of machines and stores may differ, and how stores round times; milliseconds. */
export const CLOCK_SKEW_MS = 60_000;

/** A source of time and timers. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `run` once after `delayMs` milliseconds.
   *
   * @returns a function that calls it off; calling that late or twice does nothing.
   */
  schedule(delayMs: number, run: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
