/** How far the heap of a program may grow between collections. */
import { setImmediate } from 'node:timers/promises';
import { cachedDataVersionTag } from 'node:v8';
import { expect, it } from 'vitest';
import { growAsUsual, heldEntries, letGo, watchHeap } from '../../../src/machine/host/heap-growth.ts';

it('changes with many entries in a program that watches it, and is as before when code is kept', () => {
  const usual = cachedDataVersionTag();
  heldEntries(1_000_000);
  expect(cachedDataVersionTag()).toBe(usual);
  watchHeap();
  heldEntries(100);
  expect(cachedDataVersionTag()).toBe(usual);
  heldEntries(100_000);
  const slow = cachedDataVersionTag();
  expect(slow).not.toBe(usual);
  letGo();
  expect(cachedDataVersionTag()).toBe(slow);
  growAsUsual();
  expect(cachedDataVersionTag()).toBe(usual);
});

it('is followed by a collection where there is much to let go', async () => {
  const garbage = new WeakRef({ some: 'garbage' });
  watchHeap();
  // Held until the end of this turn.
  expect(garbage.deref()).toBeDefined();
  await setImmediate();
  heldEntries(100_000);
  letGo();
  expect(garbage.deref()).toBeUndefined();
  growAsUsual();
});
