/**
 * kill -9 of stager at random moments of making, using, replacing and sweeping trees of packages:
 *
 *     node bench/kill-trees.ts [--times 200] [--files 600]
 *
 * After each, a staging must give the droplet of a copy, find no tree damaged, and leave nothing half made. Prints counts;
 * the status is 1 when something was wrong. It needs root and loop devices.
 */
import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cli, type Ended, stageArgs } from '../test/support/cli.ts';
import { killNine } from '../test/support/kill-nine.ts';

const { values } = parseArgs({
  options: { times: { type: 'string', default: '200' }, files: { type: 'string', default: '600' } },
});
/** What is left of a dead stager's processes and mounts has this long to go. */
const PATIENCE_MS = 2_000;
const WAYS = ['making', 'using', 'replacing', 'pruning'] as const;
const THEN = new Date('2020-01-02T03:04:05Z');

await using cli = await Cli.make();
const app = await cli.app('app');

/** Writes one of two packages: three of four files differ, so that the tree of one is not that of the other. */
async function write(variant: number): Promise<void> {
  for (let file = 0; file < Number(values.files); file += 1) {
    const path = await cli.app('app', {
      [`d${file % 20}/f${file}`]: `${file % 4 === 0 ? '' : variant} ${file}`,
    });
    await utimes(join(path, `d${file % 20}/f${file}`), THEN, THEN);
  }
}

const stage = (how: 'overlay' | 'copy'): Promise<Ended> => cli.run(stageArgs(app, {}, ['--workspace', how]));
const digestOf = ({ stdout }: Ended): string => /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? '';

/** Numbers of namespaces are given again, to stagers of others on the same machine as well. */
const isOurs = (line: string): boolean => !line.startsWith('namespace ') || line.includes(cli.dir);

const whole: string[] = [];
let lastMs = 0;
for (const variant of [0, 1]) {
  await write(variant);
  const copied = await stage('copy');
  if (copied.code !== 0) throw new Error(copied.stderr);
  whole.push(digestOf(copied));
  lastMs = (await stage('overlay')).durationMs;
}

const kills = new Map<string, number>();
let faults = 0;
const fault = (way: string, what: string): void => {
  faults += 1;
  console.log(`${way}: ${what}`);
};
for (let done = 0, variant = 1; done < Number(values.times); done += 1) {
  const way = WAYS[done % WAYS.length] ?? 'using';
  if (way === 'making') await rm(join(cli.home, 'layers'), { recursive: true, force: true });
  if (way === 'replacing') {
    variant = 1 - variant;
    await write(variant);
  }
  const pruning = way === 'pruning';
  if (pruning) await writeFile(join(cli.home, 'layers/apps', 'left'), 'no JSON');
  const args = pruning ? ['cache', 'prune'] : stageArgs(app, {}, ['--workspace', 'overlay']);
  const afterMs = Math.random() * (pruning ? lastMs / 4 : lastMs * 1.1);
  const look = await killNine(cli, args, { afterMs });
  await setTimeout(PATIENCE_MS);
  for (const line of look().filter(isOurs)) fault(way, `after ${Math.round(afterMs)} ms left ${line}`);
  const next = await stage('overlay');
  lastMs = next.durationMs;
  if (next.code !== 0 || digestOf(next) !== whole[variant]) fault(way, `another droplet: ${next.stderr}`);
  if (/damaged|copied into/.test(next.stderr)) fault(way, next.stderr);
  for (const name of await readdir(join(cli.home, 'layers/tmp'))) fault(way, `left layers/tmp/${name}`);
  for (const line of await cli.leftovers()) fault(way, `left ${line}`);
  kills.set(way, (kills.get(way) ?? 0) + 1);
  const counts = [...kills].map(([name, count]) => `${count} ${name}`).join(', ');
  console.error(`${done + 1} kills (${counts}), ${faults} faults`);
}
console.log(`${values.times} kills of trees with ${values.files} files, ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
