/**
 * Compares our builder and launcher with the original's over all scenarios:
 *
 *     STAGER_ORIGINAL_LIFECYCLE=/dir node test/doors/dropin/compare.ts [part of a scenario's name]
 *
 * The directory holds the original's `builder` and `launcher`. Exit status 0 when all scenarios are equal, 1 when
 * some are not, 77 when the original is not there and nothing was compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OURS, originalPrograms } from './programs.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios.ts';
import { compareAll, type Difference } from './side-by-side.ts';

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
  let different = 0;
  const onDone = (scenario: Scenario, outcome: readonly Difference[] | Error): void => {
    if (!(outcome instanceof Error) && outcome.length === 0) return;
    different++;
    say(`DIFFERENT ${scenario.program} ${scenario.name}`);
    if (outcome instanceof Error) say(`  not compared: ${outcome.message}`);
    else for (const difference of outcome) show(difference);
  };
  try {
    await compareAll(chosen, { theirs, ours: OURS }, { base, onDone });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  say(`${chosen.length - different} of ${chosen.length} scenarios equal`);
  return different === 0 ? 0 : 1;
}

function show({ where, theirs, ours }: Difference): void {
  for (const line of theirs) say(`  ${where} original: ${line}`);
  for (const line of ours) say(`  ${where} ours:     ${line}`);
}
