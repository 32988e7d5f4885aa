/** What `stage` and `runDroplet` return: something in progress, with its events, its result and a way to cancel it. */
import type { StagerError } from '../../words/errors.ts';
import { cancelled } from '../../words/errors.ts';
import { EventQueue } from './event-queue.ts';
import { KeptEvents, type QueueLimit } from './kept-events.ts';

/**
 * Something in progress. `await using` cancels what has not ended when the block is left.
 */
export interface Handle<Event, Result> extends AsyncDisposable {
  /**
   * Every iteration begins with the first event and has a queue of its own. Leaving one early (`break`, `return`, an
   * exception) cancels. Of output that nobody reads 16 Mi characters are kept, and a warning reports the rest.
   */
  readonly events: AsyncIterable<Event>;
  /** The outcome. Rejects with a {@link StagerError}, CANCELLED when it was cancelled. */
  readonly result: Promise<Result>;
  /** Ends it. Settles when no process, workspace or half-written blob of it is left; never rejects. */
  cancel(): Promise<void>;
}

/** What {@link openHandle} starts. */
export interface HandleWork<Event, Result> {
  /** The caller's own signal, if there is one. */
  readonly signal: AbortSignal | undefined;
  readonly onEvent: ((event: Event) => void) | undefined;
  readonly limit: QueueLimit<Event>;
  readonly run: (io: {
    readonly signal: AbortSignal;
    readonly emit: (event: Event) => void;
  }) => Promise<Result>;
}

/** Starts the work and returns its handle. */
export function openHandle<Event, Result>(work: HandleWork<Event, Result>): Handle<Event, Result> {
  const events = new EventLog<Event>(work.limit);
  const controller = new AbortController();
  const signal =
    work.signal === undefined ? controller.signal : AbortSignal.any([work.signal, controller.signal]);
  const emit = (event: Event): void => {
    work.onEvent?.(event);
    events.push(event);
  };
  const result = work
    .run({ signal, emit })
    // A caller's signal may have any reason; whatever it ends is CANCELLED.
    .catch((error: unknown) => Promise.reject(signal.aborted ? cancelled(signal) : error))
    .finally(() => events.end());
  // Who only reads the events learns of a failure from the last one; that must not end their process.
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  const cancel = async (): Promise<void> => {
    controller.abort();
    await settled;
  };
  return {
    result,
    cancel,
    events: { [Symbol.asyncIterator]: () => events.iterate(cancel) },
    [Symbol.asyncDispose]: cancel,
  };
}

/** Keeps what happened for iterations that begin later, and feeds those that go on. */
class EventLog<Event> {
  readonly #limit: QueueLimit<Event>;
  readonly #past: KeptEvents<Event>;
  readonly #queues = new Set<EventQueue<Event>>();
  #ended = false;

  constructor(limit: QueueLimit<Event>) {
    this.#limit = limit;
    this.#past = new KeptEvents(limit);
  }

  push(event: Event): void {
    for (const queue of this.#queues) queue.push(event);
    this.#past.push(event);
  }

  end(): void {
    this.#past.tellLeftOut();
    this.#ended = true;
    for (const queue of this.#queues) queue.end();
    this.#queues.clear();
  }

  /** An iteration from the first event on; `leave` is called when it is left before the last one. */
  iterate(leave: () => Promise<void>): AsyncIterator<Event> {
    const queue = new EventQueue<Event>(this.#limit);
    for (const event of this.#past.events) queue.push(event);
    if (this.#ended) queue.end();
    else this.#queues.add(queue);
    return {
      next: () => queue.next(),
      return: async () => {
        if (this.#queues.delete(queue)) await leave();
        return { value: undefined, done: true };
      },
    };
  }
}
