/** Retries writes that must not be lost because the database is briefly unavailable. */
import type { Clock } from '../../words/clock.ts';
import { isDatabaseAway } from '../state/failures.ts';

/** Milliseconds. Longer than a claim lives: after that another has the work anyway. */
const LONGEST_MS = 60_000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [200, 3000];

/** Tries again while the database is away. `write` must be able to run twice. */
export async function patiently<T>(clock: Clock, write: () => Promise<T>): Promise<T> {
  const until = clock.now() + LONGEST_MS;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await write();
    } catch (error) {
      if (!isDatabaseAway(error) || clock.now() > until) throw error;
      await new Promise<void>((resolve) => void clock.schedule(pause, resolve));
    }
  }
}
