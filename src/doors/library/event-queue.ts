/**
 * Events that are pushed as they come and pulled by `for await`, whoever is quicker.
 *
 * A script can write millions of lines, and a caller who only awaits the result never reads one: so lines wait up to a
 * limit, and one event stands for those that came when it was reached. Nothing else is ever left out.
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

/** See the top of the file. For one reader. */
export class EventQueue<T> {
  readonly #limit: QueueLimit<T>;
  readonly #waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  #events: T[] = [];
  /** Place of the next event; those before it have been handed out. */
  #next = 0;
  #weight = 0;
  #leftOut = 0;
  #ended = false;

  constructor(limit: QueueLimit<T>) {
    this.#limit = limit;
  }

  push(event: T): void {
    const reader = this.#waiting.shift();
    if (reader !== undefined) {
      reader({ value: event, done: false });
      return;
    }
    const weight = this.#limit.weight(event);
    if (weight > 0 && this.#weight + weight > this.#limit.maxWeight) {
      this.#leftOut += 1;
      return;
    }
    this.#tellLeftOut();
    this.#weight += weight;
    this.#events.push(event);
  }

  /** No more events; those that wait are still handed out. */
  end(): void {
    this.#tellLeftOut();
    this.#ended = true;
    for (const reader of this.#waiting.splice(0)) reader({ value: undefined, done: true });
  }

  /** The next event, when there is one; done after the last. */
  next(): Promise<IteratorResult<T, undefined>> {
    const event = this.#take();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(): T | undefined {
    if (this.#next === this.#events.length) this.#tellLeftOut();
    const event = this.#events[this.#next];
    if (event === undefined) return undefined;
    this.#next += 1;
    this.#weight -= this.#limit.weight(event);
    // Shifting one at a time would move all the others each time.
    if (this.#next * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#next);
      this.#next = 0;
    }
    return event;
  }

  #tellLeftOut(): void {
    if (this.#leftOut === 0) return;
    this.#events.push(this.#limit.leftOut(this.#leftOut));
    this.#leftOut = 0;
  }
}
