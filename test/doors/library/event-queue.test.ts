import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../../src/doors/library/event-queue.ts';

/** Numbers weigh their value; a text is always kept. */
const queue = (maxWeight: number): EventQueue<number | string> =>
  new EventQueue<number | string>({
    maxWeight,
    weight: (event) => (typeof event === 'number' ? event : 0),
    leftOut: (count) => `${count} left out`,
  });

async function all(events: EventQueue<number | string>): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done) return seen;
    seen.push(value);
  }
}

describe('events that nobody has read yet', () => {
  it('are handed out in order, whether they came before or after they were asked for', async () => {
    const events = queue(1_000);
    events.push(1);
    const seen = all(events);
    events.push('two');
    events.push(3);
    events.end();
    expect(await seen).toEqual([1, 'two', 3]);
  });

  it('are left out above the limit, and one tells how many, in their place', async () => {
    const events = queue(10);
    for (const event of [6, 4, 1, 1, 'phase', 1, 'end']) events.push(event);
    events.end();
    expect(await all(events)).toEqual([6, 4, '2 left out', 'phase', '1 left out', 'end']);
  });

  it('are taken again once some were read', async () => {
    const events = queue(10);
    for (const event of [10, 5]) events.push(event);
    expect((await events.next()).value).toBe(10);
    events.push(7);
    events.end();
    expect(await all(events)).toEqual(['1 left out', 7]);
  });

  it('are told of when the last that was kept has been read', async () => {
    const events = queue(10);
    for (const event of [10, 5]) events.push(event);
    expect([await events.next(), await events.next()].map(({ value }) => value)).toEqual([10, '1 left out']);
  });

  it('are read in a time that grows with their number, not with its square', async () => {
    const events = queue(Number.POSITIVE_INFINITY);
    for (let n = 0; n < 500_000; n += 1) events.push(1);
    events.end();
    expect(await all(events)).toHaveLength(500_000);
  });
});
