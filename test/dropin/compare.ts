/**
 * Compares our builder and launcher with the original's over all scenarios:
 *
 *     STAGER_ORIGINAL_LIFECYCLE=/dir node test/dropin/compare.ts [part of a scenario's name]
 *
 * The directory holds the original's `builder` and `launcher`. Exit status 0 when all scenarios are equal, 1 when
 * some are not, 77 when the original is not there and nothing was compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OURS, originalPrograms } from './programs.ts';
import { scenarios } from './scenarios.ts';
import { startServers } from './servers.ts';
import { compareScenario } from './side-by-side.ts';

const NOT_RUN = 77;
const say = (text: string): boolean => process.stdout.write(`${text}\n`);

process.exitCode = await main(process.argv[2] ?? '');

async function main(part: string): Promise<number> {
  const theirs = originalPrograms(process.env);
  if ('missing' in theirs) {
    say(`NOT RUN: ${theirs.missing}`);
    return NOT_RUN;
  }
  const chosen = scenarios.filter((it) => `${it.program} ${it.name}`.includes(part));
  const base = mkdtempSync(join(tmpdir(), 'side-by-side-'));
  const servers = await startServers();
  let different = 0;
  try {
    for (const scenario of chosen) {
      const surroundings = { root: join(base, 'world'), servers };
      const differences = await compareScenario(scenario, { theirs, ours: OURS }, surroundings);
      if (differences.length === 0) continue;
      different++;
      say(`DIFFERENT ${scenario.program} ${scenario.name}`);
      for (const { where, theirs: original, ours } of differences) {
        for (const line of original) say(`  ${where} original: ${line}`);
        for (const line of ours) say(`  ${where} ours:     ${line}`);
      }
    }
  } finally {
    await servers.close();
    rmSync(base, { recursive: true, force: true });
  }
  say(`${chosen.length - different} of ${chosen.length} scenarios equal`);
  return different === 0 ? 0 : 1;
}
