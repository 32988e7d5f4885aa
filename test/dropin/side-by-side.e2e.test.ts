/** Our builder and launcher beside the original's, scenario by scenario; see compare.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OURS, originalPrograms } from './programs.ts';
import { scenarios } from './scenarios.ts';
import { type Servers, startServers } from './servers.ts';
import { compareScenario } from './side-by-side.ts';

const theirs = originalPrograms(process.env);

if ('missing' in theirs) {
  process.stderr.write(
    `\nNOT RUN: the comparison with Cloud Foundry's builder and launcher: ${theirs.missing}\n\n`,
  );
  it.skip(`NOT RUN beside the original: ${theirs.missing}`, () => {});
} else {
  describe('beside the original', () => {
    const base = mkdtempSync(join(tmpdir(), 'side-by-side-'));
    let servers: Servers;
    beforeAll(async () => {
      servers = await startServers();
    });
    afterAll(async () => {
      await servers.close();
      rmSync(base, { recursive: true, force: true });
    });

    it.each(scenarios.map((it) => [`${it.program}, ${it.name}`, it] as const))('%s', async (_, scenario) => {
      const surroundings = { root: join(base, 'world'), servers };
      expect(await compareScenario(scenario, { theirs, ours: OURS }, surroundings)).toEqual([]);
    });
  });
}
