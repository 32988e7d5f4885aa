/**
 * `stager serve` on an embedded database and on PostgreSQL (one of Debian's, in a temporary directory):
 *
 *     npm run bench -- serve [--seconds N]
 *
 * How long a start takes, what an idle server holds, requests a second and their times with 50 clients, 100,000 entries
 * in one match, and what a staging on the server takes beyond the same one here. The clients run on the same cores. The
 * status is 1 when a limit is not kept.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { postgresMissing, startPostgres } from '../test/doors/http/support/postgres.ts';
import { load, machine, ROOT, save } from './measure.ts';
import { type Figures, loadFigures } from './serve-load.ts';
import { type Running, startServer } from './serve-server.ts';

/** An idle server is looked at after this long. */
const IDLE_MS = 10_000;
const STARTS = 5;
const STAGINGS = 5;

interface Limits {
  readonly firstMs: number;
  readonly startMs: number;
  readonly idleMib: number;
}

const LIMITS: Readonly<Record<'embedded' | 'postgres', Limits>> = {
  embedded: { firstMs: 4000, startMs: 1500, idleMib: 420 },
  postgres: { firstMs: 4000, startMs: 1000, idleMib: 150 },
};
const MATCH_LIMIT_MS = 2000;
const EXTRA_LIMIT_MS = 1000;

const { values } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '10' } },
});
const missed: string[] = [];
const results: Record<string, unknown> = {};
console.log(`${JSON.stringify(machine())}; load before ${load()}\n`);
await measured('embedded', undefined);
if (postgresMissing === undefined) {
  const server = await startPostgres();
  await measured('postgres', await server.createDatabase()).finally(() => server.stop());
} else console.log(`NOT RUN: PostgreSQL: ${postgresMissing}`);
save('serve', results);
for (const line of missed) console.log(`beyond its limit: ${line}`);
process.exitCode = missed.length === 0 ? 0 : 1;

async function measured(kind: 'embedded' | 'postgres', database: string | undefined): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'stager-bench-serve-'));
  await chmod(dir, 0o711);
  const limits = LIMITS[kind];
  try {
    const start = async () => await startServer(dir, database);
    const first = await start();
    await first.stop();
    const starts: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      const again = await start();
      starts.push(again.startMs);
      await again.stop();
    }
    const server = await start();
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const idleMib = server.residentMib();
    const figures = await loadFigures(server, Number(values.seconds));
    const extraMs = await extraOfServer(server, dir);
    const busyMib = server.residentMib();
    await server.stop();
    const facts = { firstMs: first.startMs, startMs: median(starts), idleMib, busyMib, extraMs, ...figures };
    results[kind] = facts;
    tell(kind, facts);
    check(`${kind}: the very first start`, facts.firstMs, limits.firstMs);
    check(`${kind}: a start`, facts.startMs, limits.startMs);
    check(`${kind}: idle memory, MiB`, facts.idleMib, limits.idleMib);
    check(`${kind}: 100,000 entries in one match`, figures.largeMatchMs, MATCH_LIMIT_MS);
    check(`${kind}: a staging on the server beyond one here`, extraMs, EXTRA_LIMIT_MS);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function tell(kind: string, facts: Figures & Readonly<Record<string, unknown>>): void {
  console.log(`### ${kind}\n`);
  console.log(
    '| first start | start, median | idle MiB | after the load MiB | 100,000 entries | server beyond local |',
  );
  console.log('|---|---|---|---|---|---|');
  const { firstMs, startMs, idleMib, busyMib, largeMatchMs, extraMs } = facts;
  console.log(
    `| ${firstMs} ms | ${startMs} ms | ${idleMib} | ${busyMib} | ${largeMatchMs} ms | ${extraMs} ms |\n`,
  );
  console.log('| 50 clients | requests a second | median ms | p99 ms | failed |\n|---|---|---|---|---|');
  for (const { name, perSecond, p50, p99, failed } of facts.loads)
    console.log(`| ${name} | ${perSecond} | ${p50} | ${p99} | ${failed} |`);
  console.log('');
}

function check(what: string, actual: number, limit: number): void {
  if (actual > limit) missed.push(`${what}: ${actual}, limit ${limit}`);
}

/** The same app here and there, in turns; both warm. */
async function extraOfServer({ url, token }: Running, dir: string): Promise<number> {
  const app = join(dir, 'site');
  mkdirSync(app, { recursive: true });
  writeFileSync(join(app, 'Staticfile'), '');
  writeFileSync(join(app, 'index.html'), '<h1>hello</h1>');
  const env = { PATH: process.env['PATH'], HOME: dir, STAGER_HOME: join(dir, 'local'), STAGER_TOKEN: token };
  const stage = (args: readonly string[]): number => {
    const started = performance.now();
    execFileSync(join(ROOT, 'bin/stager'), ['stage', app, '--quiet', ...args], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return performance.now() - started;
  };
  const there = ['--server', url, '--org', 'bench', '--space', 'bench'];
  stage([]);
  stage(there);
  const [local, remote]: [number[], number[]] = [[], []];
  for (let n = 0; n < STAGINGS; n += 1) {
    local.push(stage([]));
    remote.push(stage(there));
  }
  rmSync(app, { recursive: true });
  return Math.round(median(remote) - median(local));
}

function median(numbers: readonly number[]): number {
  return Math.round(numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0);
}
