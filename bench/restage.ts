/**
 * `npm run bench -- restage [--files 111000] [--runs 3]`: the second staging of a large app by a buildpack that does
 * nothing, unchanged and with one file changed, above the tree of its last package and as a copy, beside the steps of
 * the original: unpack the app's zip, `cp -a`, `tar -czf`, put the droplet into the store. In turns that change places.
 * Prints a table for docs/benchmarks.md with elapsed and processor time, and whether the droplets were the same.
 *
 * With `--express` it is the Express app of fixtures/ instead: new, with one line changed and the lock file as it was, and
 * with a dependency added, the latter also without what the last staging installed.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packagesApp } from './inputs.ts';
import { load, median, ROOT, type Timed, timed } from './measure.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '111000' },
    runs: { type: 'string', default: '3' },
    express: { type: 'boolean', default: false },
  },
});
const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'stager-restage-'));
// Scripts have to get through to what is unpacked below it: else it is unpacked at each staging.
chmodSync(dir, 0o711);
const app = values.express ? join(dir, 'app') : packagesApp(Number(values.files));
const changing = join(app, 'server.js');

/** As a variable: the compiled code of stager itself is kept there as well, as in the home that people have. */
const homeOf = (home: string): string => `STAGER_HOME='${home}'`;

function stage(how: 'overlay' | 'copy'): Timed {
  const home = join(dir, how);
  mkdirSync(home, { recursive: true });
  const args = `--disk 8G --workspace ${how} -b ${join(dir, 'buildpack')}`;
  return timed(`${homeOf(home)} '${ROOT}bin/stager' stage '${app}' ${args}`);
}

function original(): Timed {
  const work = join(dir, 'original');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'store'), { recursive: true });
  return timed(
    `cd ${work}; mkdir app; unzip -q ${dir}/app.zip -d app; mkdir copy; cp -a app copy/app; tar -czf droplet.tgz -C copy .; cp droplet.tgz store/; sync -f store`,
  );
}

function change(): void {
  appendFileSync(changing, `// ${Date.now()}\n`);
  const then = new Date(Date.now() - 3_600_000);
  utimesSync(changing, then, then);
}

const rows = new Map<string, Timed[]>();
const add = (name: string, run: Timed): void => {
  console.error(
    `  ${name}: ${(run.ms / 1000).toFixed(1)} s, ${(run.cpuMs / 1000).toFixed(1)} s of processor time`,
  );
  rows.set(name, [...(rows.get(name) ?? []), run]);
};
/** Above trees and as copies, beside the original's steps. */
function large(): void {
  mkdirSync(join(dir, 'buildpack/bin'), { recursive: true });
  for (const name of ['detect', 'supply', 'finalize', 'release'])
    writeFileSync(join(dir, 'buildpack/bin', name), '#!/bin/sh\n', { mode: 0o755 });
  execFileSync('sh', ['-c', `cd '${app}' && zip -q -r -1 ${dir}/app.zip .`]);
  add('first staging, copy', stage('copy'));
  add('first staging, overlay', stage('overlay'));
  for (let round = 0; round < Number(values.runs); round += 1) {
    const turns: readonly (() => void)[] = [
      () => add("the original's steps", original()),
      () => add('unchanged, copy', stage('copy')),
      () => add('unchanged, overlay', stage('overlay')),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) turn();
    change();
    const [copied, above] = [stage('copy'), stage('overlay')];
    add('one file changed, copy', copied);
    add('one file changed, overlay', above);
    if (copied.digest !== above.digest || copied.digest === undefined) throw new Error('the droplets differ');
  }
}

/** The shipped nodejs buildpack; each round in a home of its own, all with the same downloads. */
function express(): void {
  const fixture = join(ROOT, 'fixtures/apps/express');
  const run = (home: string, more = ''): Timed =>
    timed(
      `XDG_CACHE_HOME=${dir}/cache ${homeOf(join(dir, home))} '${ROOT}bin/stager' stage '${app}' ${more}`,
    );
  for (let round = 0; round < Number(values.runs); round += 1) {
    rmSync(app, { recursive: true, force: true });
    cpSync(fixture, app, { recursive: true });
    if (round === 0) run('downloads');
    for (const home of ['reusing', 'installing']) run(`${home}-${round}`);
    add('Express, new', run(`new-${round}`));
    change();
    add('Express, one line changed', run(`reusing-${round}`));
    execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund', 'picocolors@1.1.1'], {
      cwd: app,
      stdio: 'ignore',
    });
    add('Express, one dependency added', run(`reusing-${round}`));
    const without = '-e NODE_MODULES_CACHE=false';
    add('Express, the same without what was installed', run(`installing-${round}`, without));
  }
}

const before = load();
try {
  if (values.express) express();
  else large();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

const medianOf = (runs: readonly Timed[], of: (run: Timed) => number): number => median(runs.map(of)) / 1000;
const base = rows.get(values.express ? 'Express, new' : "the original's steps") ?? [];
const what = values.express ? 'Express' : `${values.files} files; the same droplets both ways`;
console.log(`load before ${before}, after ${load()}; ${what}\n`);
console.log(
  `| staging | elapsed, s | of ${values.express ? 'new' : 'the original'} | processor, s | of it |\n|---|---|---|---|---|`,
);
for (const [name, runs] of rows) {
  const [ms, cpu] = [medianOf(runs, (run) => run.ms), medianOf(runs, (run) => run.cpuMs)];
  const ratios = [ms / medianOf(base, (run) => run.ms), cpu / medianOf(base, (run) => run.cpuMs)];
  console.log(
    `| ${name} | ${ms.toFixed(1)} | ${ratios[0]?.toFixed(2)} | ${cpu.toFixed(1)} | ${ratios[1]?.toFixed(2)} |`,
  );
}
