/**
 * `node test/faults/main.ts N [real]`: N random faults while builds go on; says what does not hold. Exit status 1 then.
 * `real`: workers run scripts in sandboxes, each on a disk of its own where root can mount one.
 */
import { faketimeMissing } from './faults.ts';
import { runFaults } from './run.ts';

if (faketimeMissing !== undefined)
  process.stderr.write(`NOT RUN: the fault with the clock: ${faketimeMissing}\n`);
const report = await runFaults({
  moments: Number(process.argv[2] ?? '20'),
  real: process.argv[3] === 'real',
  lasting: { shortMs: 5000, longMs: 30_000 },
  say: (text) => process.stdout.write(`${text}\n`),
});
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.broken.length === 0 ? 0 : 1;
