/**
 * Trying again: exponential backoff with full jitter, bounded by a number of attempts and by a deadline that its
 * error names. Full jitter, so that many clients that were throttled together do not come back together.
 */
import { cancelled, StagerError } from '../../../words/errors.ts';

/** How long and how often to try. Times in milliseconds. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** No new attempt begins after this long. */
  readonly deadlineMs: number;
}

/** Seven attempts: waits of up to 0.1, 0.2, 0.4, 0.8, 1.6 and 3.2 s between them. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 7, baseMs: 100, capMs: 5_000, deadlineMs: 60_000 };

/** What a retried step is called, and which of its failures pass. */
export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  /** Named in the error, e.g. `get s3://bucket/key`. */
  readonly what: string;
  readonly isTransient: (error: unknown) => boolean;
}

/**
 * Runs `step` until it succeeds, fails for good, or the policy is used up; the last failure is then thrown, as the
 * cause of a StagerError where the deadline ended it.
 */
export async function withRetry<T>(step: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, signal } = options;
  const started = Date.now();
  for (let attempt = 1; ; attempt++) {
    if (signal.aborted) throw cancelled(signal);
    try {
      return await step(attempt);
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (!options.isTransient(error) || attempt >= policy.attempts) throw error;
      const elapsedMs = Date.now() - started;
      if (elapsedMs >= policy.deadlineMs) throw deadline(error, attempt, options);
      await pause(backoffMs(policy, attempt), signal);
    }
  }
}

/** A random wait before attempt `attempt` + 1. */
export function backoffMs(policy: RetryPolicy, attempt: number): number {
  return Math.random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
}

/** Waits, but no longer than until `signal` fires. @throws StagerError CANCELLED. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      signal.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(cancelled(signal));
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

function deadline(cause: unknown, attempts: number, { policy, what }: RetryOptions): StagerError {
  const seconds = policy.deadlineMs / 1000;
  return new StagerError(
    'BLOBSTORE_UNAVAILABLE',
    `${what}: the deadline of ${seconds} s for one request passed after ${attempts} attempts; the last one: ${textOf(cause)}`,
    {
      next: 'Check that the store is up and quick enough, then try again.',
      details: { what, attempts },
      cause,
    },
  );
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
