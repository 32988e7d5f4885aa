/**
 * `npm run bench -- [suite…] [--runs N]`. Suites: `droplets` (default), `levels`. Prints tables in Markdown, as
 * docs/benchmarks.md keeps them, and writes bench/out/<suite>.json.
 */
import { parseArgs } from 'node:util';
import { levelSections, nodeAppSections, otherSections, type Section } from './droplets.ts';
import { load, type Measured, machine, save } from './measure.ts';

const SUITES: Readonly<Record<string, (runs: number) => Section[]>> = {
  droplets: (runs) => [...nodeAppSections(runs), ...otherSections(Math.min(runs, 3))],
  'node-app': nodeAppSections,
  levels: levelSections,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5' } },
});

const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs takes a number from 1, not "${values.runs}"`);
  process.exit(2);
}

for (const name of positionals.length === 0 ? ['droplets'] : positionals) {
  const suite = SUITES[name];
  if (suite === undefined) {
    console.error(`no suite "${name}"; there are ${Object.keys(SUITES).join(', ')}`);
    process.exitCode = 2;
    continue;
  }
  const before = load();
  if (before > 0.7) console.error(`the load is ${before}: other work is running, expect noise`);
  const sections = suite(runs);
  save(name, sections);
  console.log(
    `${Object.entries(machine())
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}; load before ${before}\n`,
  );
  for (const section of sections) print(section);
}

function print({ title, measured, targets }: Section): void {
  const first = measured[0]?.medianMs ?? 0;
  console.log(`### ${title}\n`);
  console.log('| | median s | of the first row | MB | peak MiB | all runs, s |\n|---|---|---|---|---|---|');
  for (const row of measured) console.log(cells(row, first));
  if (targets.length > 0) console.log('\n| target | measured | met |\n|---|---|---|');
  for (const { target, actual, met } of targets)
    console.log(`| ${target} | ${actual} | ${met ? 'yes' : '**no**'} |`);
  console.log('');
}

function cells(row: Measured, first: number): string {
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const size = row.bytes === undefined ? '' : (row.bytes / 1e6).toFixed(1);
  const peak = row.rssBytes === undefined ? '' : String(Math.round(row.rssBytes / 1024 ** 2));
  const ratio = (row.medianMs / first).toFixed(3);
  return `| ${row.name} | ${seconds(row.medianMs)} | ${ratio} | ${size} | ${peak} | ${row.allMs.map(seconds).join(' ')} |`;
}
