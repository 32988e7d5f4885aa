/** How far the heap of a program may grow between collections. */
import { cachedDataVersionTag } from 'node:v8';
import { expect, it } from 'vitest';
import { growAsUsual, heldEntries, watchHeap } from '../../../src/machine/host/heap-growth.ts';

it('changes with many entries in a program that watches it, and is as before when code is kept', () => {
  const usual = cachedDataVersionTag();
  heldEntries(1_000_000);
  expect(cachedDataVersionTag()).toBe(usual);
  watchHeap();
  heldEntries(100);
  expect(cachedDataVersionTag()).toBe(usual);
  heldEntries(100_000);
  expect(cachedDataVersionTag()).not.toBe(usual);
  growAsUsual();
  expect(cachedDataVersionTag()).toBe(usual);
});
