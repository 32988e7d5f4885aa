import { describe, expect, it } from 'vitest';
import { GaveUp, pause, withRetry } from '../../src/words/retry.ts';
import { FakeClock } from '../support/fake-clock.ts';

const signal = new AbortController().signal;
const policy = { attempts: 3, baseMs: 0, capMs: 0, deadlineMs: 60_000 };
const isTransient = (error: unknown): boolean => error instanceof RangeError;

describe('trying again', () => {
  it('ends with the first success', async () => {
    const step = async (attempt: number) => {
      if (attempt < 3) throw new RangeError('busy');
      return attempt;
    };
    expect(await withRetry(step, { policy, signal, isTransient })).toBe(3);
  });

  it('says how often it was tried, and why it ended', async () => {
    const busy = async () => {
      throw new RangeError('busy');
    };
    const failure = withRetry(busy, { policy, signal, isTransient });
    await expect(failure).rejects.toMatchObject({ attempts: 3, deadlineMs: undefined });
    await expect(failure).rejects.toBeInstanceOf(GaveUp);
    const never = withRetry(busy, { policy, signal, isTransient: () => false });
    await expect(never).rejects.toMatchObject({ attempts: 1, cause: { message: 'busy' } });
    const late = withRetry(busy, { policy, signal, isTransient, retryAfterMs: () => 60_001 });
    await expect(late).rejects.toMatchObject({ attempts: 1, deadlineMs: 60_000 });
  });

  it('ends when it is cancelled while it waits', async () => {
    const controller = new AbortController();
    const busy = async () => {
      queueMicrotask(() => controller.abort());
      throw new RangeError('busy');
    };
    const options = { policy, isTransient, signal: controller.signal, retryAfterMs: () => 50_000 };
    await expect(withRetry(busy, options)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a pause', () => {
  it('lasts as long as the clock says, or until it is called off', async () => {
    const clock = new FakeClock();
    const done = pause(1_000, { clock });
    clock.advance(1_000);
    await done;
    const controller = new AbortController();
    const called = pause(1_000, { clock, signal: controller.signal });
    controller.abort();
    await called;
  });
});
