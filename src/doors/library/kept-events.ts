/**
 * Events that are kept for a reader, up to a limit. A script can write millions of lines, and a caller who only awaits
 * the result never reads one: when the limit is reached, one event stands for the lines that come. Nothing else is ever
 * left out.
 */

/** What may be left out, and what then stands for it. */
export interface QueueLimit<T> {
  /** What an event counts while it waits; 0: it is always kept. */
  readonly weight: (event: T) => number;
  /** Weight of all events that wait, at which those that count are left out. */
  readonly maxWeight: number;
  /** The event that stands for `count` others. */
  readonly leftOut: (count: number) => T;
}

/** See the top of the file. */
export class KeptEvents<T> {
  readonly #limit: QueueLimit<T>;
  #events: T[] = [];
  #weight = 0;
  #leftOut = 0;

  constructor(limit: QueueLimit<T>) {
    this.#limit = limit;
  }

  /** Those that are kept, in order. */
  get events(): readonly T[] {
    return this.#events;
  }

  push(event: T): void {
    const weight = this.#limit.weight(event);
    if (weight > 0 && this.#weight + weight > this.#limit.maxWeight) {
      this.#leftOut += 1;
      return;
    }
    this.tellLeftOut();
    this.#weight += weight;
    this.#events.push(event);
  }

  /** Adds the event that stands for those that were left out, if there are any. */
  tellLeftOut(): void {
    if (this.#leftOut === 0) return;
    this.#events.push(this.#limit.leftOut(this.#leftOut));
    this.#leftOut = 0;
  }

  /** An event was handed out: it counts no more. */
  release(event: T): void {
    this.#weight -= this.#limit.weight(event);
  }

  /** Forgets the first `count`. */
  dropFirst(count: number): void {
    this.#events = this.#events.slice(count);
  }
}
