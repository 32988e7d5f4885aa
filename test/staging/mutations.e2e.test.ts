/** A sample of `npm run mutations`: damaged files of every kind, and what comes of them. docs/storage.md has the counts. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { casesOf, judge, nameOf, sampleOf } from '../mutations/case.ts';
import { makeRig, restore } from '../mutations/rig.ts';

/** Another one every week would find more, and fail somebody who changed nothing. */
const SEED = 'one';
const CASES = 6;

let rig: Awaited<ReturnType<typeof makeRig>>;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig.close());

it('no damage gives a wrong droplet, a stack trace or an error without a way out', async () => {
  restore(rig.place);
  for (const some of sampleOf(casesOf(rig.place), CASES, SEED)) {
    const { wrong, said } = await judge(some, rig.place, rig.expected);
    expect(wrong, `${nameOf(some)}: ${said}`).toBeUndefined();
  }
});
