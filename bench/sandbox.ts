/**
 * `node bench/sandbox.ts [ROUNDS]`: what the sandbox adds to an ordinary staging, in one run: the same small app by a
 * buildpack that does nothing, with the usual sandbox and network, with the sandbox and the machine's network, and with
 * none, in turns that change places. Elapsed and processor time, medians, and the load before and after.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, median, ROOT, type Timed, timed } from './measure.ts';

const rounds = Number(process.argv[2] ?? 15);
const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'stager-bench-sandbox-'));
const buildpack = join(ROOT, 'fixtures/buildpacks/does-as-told');
const app = join(dir, 'app');
mkdirSync(app);
writeFileSync(join(app, 'index.html'), 'hello\n');

const WAYS = [
  ['none', '--sandbox none --network host'],
  ['sandbox', '--network host'],
  ['sandbox and a network of its own', ''],
] as const;

const figures = new Map<string, Timed[]>(WAYS.map(([name]) => [name, []]));
const before = load();
// The first round warms up: what is found out about the machine is kept from then on.
for (let round = 0; round <= rounds; round += 1) {
  for (const [name, args] of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
    const home = join(dir, name.replaceAll(' ', '-'));
    mkdirSync(home, { recursive: true });
    const one = timed(`STAGER_HOME=${home} '${ROOT}bin/stager' stage '${app}' -b '${buildpack}' ${args}`);
    if (round > 0) figures.get(name)?.push(one);
  }
}
rmSync(dir, { recursive: true });
const middle = (name: string, of: 'ms' | 'cpuMs'): number =>
  median((figures.get(name) ?? []).map((each) => Math.round(each[of])));
console.log(`load before ${before}, after ${load()}; ${rounds} rounds\n`);
console.log('| | elapsed | more than none | processor | more than none |\n|---|---|---|---|---|');
for (const [name] of WAYS) {
  const [ms, cpuMs] = [middle(name, 'ms'), middle(name, 'cpuMs')];
  const [moreMs, moreCpuMs] = [ms - middle('none', 'ms'), cpuMs - middle('none', 'cpuMs')];
  console.log(`| ${name} | ${ms} ms | ${moreMs} ms | ${cpuMs} ms | ${moreCpuMs} ms |`);
}
