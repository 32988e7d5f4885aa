/** Our builder and launcher beside the original's, scenario by scenario; see compare.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OURS, originalPrograms } from './programs.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { compareAll, type Difference } from './side-by-side.ts';

const theirs = originalPrograms(process.env);
/** Every second one, to stay well below the time that a test run has; compare.ts runs all of them. */
const sample = scenarios.filter((_, index) => index % 2 === 0);

if ('missing' in theirs) {
  process.stderr.write(
    `\nNOT RUN: the comparison with Cloud Foundry's builder and launcher: ${theirs.missing}\n\n`,
  );
  it.skip(`NOT RUN beside the original: ${theirs.missing}`, () => {});
} else {
  describe('beside the original', () => {
    const base = mkdtempSync(join(tmpdir(), 'side-by-side-'));
    const outcomes = new Map(
      sample.map((it) => [it, Promise.withResolvers<readonly Difference[]>()] as const),
    );
    for (const { promise } of outcomes.values()) promise.catch(() => {});
    let all: Promise<void>;
    beforeAll(() => {
      const onDone = (scenario: Scenario, outcome: readonly Difference[] | Error): void => {
        if (outcome instanceof Error) outcomes.get(scenario)?.reject(outcome);
        else outcomes.get(scenario)?.resolve(outcome);
      };
      all = compareAll(sample, { theirs, ours: OURS }, { base, onDone });
    });
    afterAll(async () => {
      await all;
      rmSync(base, { recursive: true, force: true });
    });

    it.each(sample.map((it) => [`${it.program}, ${it.name}`, it] as const))('%s', async (_, scenario) => {
      expect(await outcomes.get(scenario)?.promise).toEqual([]);
    });
  });
}
