/** Events that are pushed as they come and pulled by `for await`: nothing is lost, whoever is quicker. */
export class EventQueue<T> implements AsyncIterable<T> {
  readonly #waiting: ((result: IteratorResult<T>) => void)[] = [];
  readonly #events: T[] = [];
  #ended = false;

  push(event: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#events.push(event);
    else next({ value: event, done: false });
  }

  /** No more events; those that wait are still handed out. */
  end(): void {
    this.#ended = true;
    for (const next of this.#waiting.splice(0)) next({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => {
        const event = this.#events.shift();
        if (event !== undefined) return Promise.resolve({ value: event, done: false });
        if (this.#ended) return Promise.resolve({ value: undefined, done: true });
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
    };
  }
}
