import { describe, expect, it } from 'vitest';
import { PhaseDeadline } from '../../../src/service/builds/phase-deadline.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const at = '2026-01-01T00:00:00.000Z';
const begins = (name: 'detect' | 'supply' | 'droplet', buildpack?: string) => ({
  type: 'phase-started' as const,
  at,
  phase: { name, ...(buildpack !== undefined && { buildpack }) },
});
const limits = { totalMs: 900_000, phaseMs: { detect: 60_000, droplet: 120_000 } };

describe('the deadline of a staging', () => {
  it('ends a phase that takes too long, and says which, how long, the limit and the last line', () => {
    const clock = new FakeClock();
    using deadline = new PhaseDeadline(clock, limits);
    clock.advance(5000);
    deadline.take(begins('detect', 'nodejs'));
    deadline.take({
      type: 'output',
      at,
      phase: { name: 'detect' },
      stream: 'stdout',
      text: 'looking around',
    });
    clock.advance(59_999);
    expect(deadline.signal.aborted).toBe(false);
    clock.advance(1);
    expect(deadline.signal.reason).toMatchObject({
      code: 'STAGING_TIMEOUT',
      message:
        'detect of nodejs took 60 s (65 s in all); the limit for this phase is 60 s; its last line: looking around',
    });
  });

  it('starts over with each phase, and lets scripts have what is left of the whole', () => {
    const clock = new FakeClock();
    using deadline = new PhaseDeadline(clock, limits);
    for (let n = 0; n < 3; n += 1) {
      deadline.take(begins('detect'));
      clock.advance(50_000);
    }
    deadline.take(begins('supply', 'go'));
    clock.advance(749_999);
    expect(deadline.signal.aborted).toBe(false);
    clock.advance(1);
    expect(deadline.signal.reason).toMatchObject({
      message: 'supply of go took 750 s (900 s in all); the limit in all is 900 s; it wrote nothing',
    });
  });

  it('ends nothing once the staging is over', () => {
    const clock = new FakeClock();
    const deadline = new PhaseDeadline(clock, limits);
    deadline.take(begins('droplet'));
    deadline[Symbol.dispose]();
    clock.advance(10_000_000);
    expect(deadline.signal.aborted).toBe(false);
  });
});
