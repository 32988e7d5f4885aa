/**
 * Who follows the log of an app by asking again and again, as `cf` does: it stops to ask the moment that it sees the
 * build final, whether or not it has read the last line. So whoever tells that a build is final first lets followers
 * read to the end: one that asked twice for what comes after the last line has shown it.
 */
import type { Clock } from '../../words/clock.ts';

/** Milliseconds. `cf` asks every 250 ms when there is nothing new. */
const ASKS_WITHIN_MS = 2000;
/** Milliseconds that a final build is held back for followers, at most. */
const MAX_HOLD_MS = 6000;
const LOOK_EVERY_MS = 50;
const ENOUGH = 2;

interface Follower {
  askedAt: number;
  /** Where it asks from, in the time of the lines, in microseconds. */
  from: number;
  /** How often it asked from there. */
  times: number;
}

/** See the top of the file. Remembers little and forgets it by itself. */
export class Followers {
  readonly #clock: Clock;
  readonly #byApp = new Map<string, Follower>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody asked for the lines of an app from a time on. */
  asked(app: string, from: number): void {
    const now = this.#clock.now();
    for (const [other, { askedAt }] of this.#byApp) {
      if (now - askedAt > ASKS_WITHIN_MS) this.#byApp.delete(other);
    }
    const known = this.#byApp.get(app);
    if (known?.from === from) {
      known.askedAt = now;
      known.times += 1;
    } else this.#byApp.set(app, { askedAt: now, from, times: 1 });
  }

  /** Settles when followers of an app have read up to `last` (microseconds), or fell silent, or after a while. */
  async haveRead(app: string, last: number): Promise<void> {
    const until = this.#clock.now() + MAX_HOLD_MS;
    while (this.#clock.now() < until) {
      const follower = this.#byApp.get(app);
      if (follower === undefined || this.#clock.now() - follower.askedAt > ASKS_WITHIN_MS) return;
      if (follower.from > last && follower.times >= ENOUGH) return;
      await new Promise<void>((resolve) => void this.#clock.schedule(LOOK_EVERY_MS, resolve));
    }
  }
}
