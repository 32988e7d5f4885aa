/**
 * Waiting and trying again: the one piece for whatever polls or repeats. Exponential backoff with full jitter, so that
 * many clients that were throttled together do not come back together; bounded by a number of attempts and by a time.
 */
import { type Clock, systemClock } from './clock.ts';
import { cancelled } from './errors.ts';

/** How long and how often to try. Times in milliseconds. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** No new attempt begins after this long. */
  readonly deadlineMs: number;
}

/** What a retried step may do. */
export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly isTransient: (error: unknown) => boolean;
  /** How long whoever failed asked to be left alone. */
  readonly retryAfterMs?: (error: unknown) => number | undefined;
}

/** A step failed for good: its last failure is the cause. */
export class GaveUp extends Error {
  readonly attempts: number;
  /** What would have been one attempt too late. */
  readonly deadlineMs: number | undefined;

  constructor(cause: unknown, attempts: number, deadlineMs?: number) {
    super('given up', { cause });
    this.attempts = attempts;
    this.deadlineMs = deadlineMs;
  }
}

/**
 * Runs `step` until it succeeds, fails for good, or the policy is used up.
 *
 * @throws GaveUp; StagerError CANCELLED.
 */
export async function withRetry<T>(step: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, signal, clock = systemClock } = options;
  const started = clock.now();
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) throw cancelled(signal);
    try {
      return await step(attempt);
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!options.isTransient(error) || attempt >= policy.attempts) throw new GaveUp(error, attempt);
      const waitMs = Math.max(backoffMs(policy, attempt), options.retryAfterMs?.(error) ?? 0);
      const left = policy.deadlineMs - (clock.now() - started);
      if (left <= 0 || waitMs > left) throw new GaveUp(error, attempt, policy.deadlineMs);
      await pause(waitMs, { signal, clock });
      if (signal.aborted) throw cancelled(signal);
    }
  }
}

/** A random wait before attempt `attempt` + 1. */
export function backoffMs(policy: RetryPolicy, attempt: number): number {
  return Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
}

/** Waits, but no longer than until `signal` fires; never rejects. */
export async function pause(
  ms: number,
  { signal, clock = systemClock }: { readonly signal?: AbortSignal | undefined; readonly clock?: Clock } = {},
): Promise<void> {
  if (signal?.aborted === true) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const callOff = clock.schedule(ms, resolve);
  const stop = (): void => resolve();
  signal?.addEventListener('abort', stop, { once: true });
  await promise;
  callOff();
  signal?.removeEventListener('abort', stop);
}
