/** A queue of events: pushed as they come, pulled by `for await`, whichever is faster. */
import { KeptEvents, type QueueLimit } from './kept-events.ts';

/** See the top of the file. For one reader. */
export class EventQueue<T> {
  readonly #kept: KeptEvents<T>;
  readonly #waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  /** Place of the next event; those before it have been handed out. */
  #next = 0;
  #ended = false;

  constructor(limit: QueueLimit<T>) {
    this.#kept = new KeptEvents(limit);
  }

  push(event: T): void {
    const reader = this.#waiting.shift();
    if (reader === undefined) this.#kept.push(event);
    else reader({ value: event, done: false });
  }

  /** No more events; those that wait are still handed out. */
  end(): void {
    this.#kept.tellLeftOut();
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
    if (this.#next === this.#kept.events.length) this.#kept.tellLeftOut();
    const event = this.#kept.events[this.#next];
    if (event === undefined) return undefined;
    this.#next += 1;
    this.#kept.release(event);
    // Shifting one at a time would move all the others each time.
    if (this.#next * 2 > this.#kept.events.length) {
      this.#kept.dropFirst(this.#next);
      this.#next = 0;
    }
    return event;
  }
}
