import { expect, it } from 'vitest';
import { MadeOnce } from '../../src/words/made-once.ts';

it('what can not be made now is made for the next who asks, and only once', async () => {
  const [kept, tries] = [new MadeOnce<number>(), [] as boolean[]];
  const make = (works: boolean) => async (): Promise<number> => {
    tries.push(works);
    if (!works) throw new Error('the disk is full');
    return tries.length;
  };
  expect(await kept.made()).toBeUndefined();
  const both = await Promise.allSettled([kept.get(make(false)), kept.get(make(false))]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await kept.made()).toBeUndefined();
  expect([await kept.get(make(true)), await kept.get(make(true))]).toEqual([2, 2]);
  expect(tries).toEqual([false, true]);
  expect(await kept.made()).toBe(2);
});
