/**
 * Synchronous file system calls cost about 3 µs each, their promises about 25 µs: over 42,000 files the
 * difference is a second of CPU. So walks use the synchronous ones in slices, and give the event loop its turn
 * between slices, which keeps signals, timers and other stagings of the process alive.
 */
import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled } from '../../words/errors.ts';

/** Longest time in milliseconds that a slice holds the event loop. */
const SLICE_MS = 8;
/** Calls between two looks at the clock. */
const STRIDE = 16;

/** One walk's slices. */
export class Pace {
  readonly #signal: AbortSignal;
  #calls = 0;
  #sliceStart = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** True when the slice is used up; then await {@link rest}. Cheap: most calls only count. */
  get spent(): boolean {
    this.#calls += 1;
    if (this.#calls % STRIDE !== 0) return false;
    return performance.now() - this.#sliceStart > SLICE_MS;
  }

  /** Lets the event loop run. @throws StagerError CANCELLED when the signal has fired. */
  async rest(): Promise<void> {
    await setImmediate();
    throwIfCancelled(this.#signal);
    this.#sliceStart = performance.now();
  }
}
