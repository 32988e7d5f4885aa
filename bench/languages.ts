/**
 * The second staging of each language's sample with nothing changed: of the first one's supply and finalize it may take a
 * fifth, and two seconds.
 *
 *     node bench/languages.ts [--runs 3] [LANGUAGE…]
 *     node bench/languages.ts --buildpack ./nodejs-buildpack --with='--cf-stack cflinuxfs4' [--app DIR] nodejs
 *
 * What counts is what a user gets: the phases supply and finalize of `stager stage --json`, in the sandbox, with the
 * trees that the machine offers, in a new data home. Beside it the scripts alone, without stager and without such trees,
 * also in processor time, which other work on the machine hardly changes. The last row is a buildpack that does nothing:
 * what two scripts in the sandbox take at least. Medians; writes bench/out/languages.json.
 *
 * With `--buildpack` that one is measured in place of ours, in stager only: the original's. `--with` are more options of
 * `stager stage`, `--app` is another app than the sample.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { Driver } from '../test/support/buildpack-driver.ts';
import { SINATRA, vendorDebianGems, writeLock } from '../test/support/gems.ts';
import { load, median, ROOT, save } from './measure.ts';

/** Buildpack → its sample in fixtures/apps. */
const SAMPLES: Readonly<Record<string, string>> = {
  'dotnet-core': 'dotnet-web',
  go: 'go-plain',
  java: 'java-maven',
  nginx: 'nginx-site',
  nodejs: 'express',
  php: 'php-composer',
  python: 'flask',
  ruby: 'ruby-sinatra',
  rust: 'rust-web',
};
const NOTHING = 'nothing';
const LIMIT_MS = 2000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '3' },
    buildpack: { type: 'string' },
    with: { type: 'string', default: '' },
    app: { type: 'string' },
  },
});
// Removed at the end of all: files are slow to make where many were just removed.
const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'stager-languages-'));
const drivers: Driver[] = [];

/** A copy of the language's sample. */
async function appOf(language: string): Promise<string> {
  const app = join(dir, `app-${language}`);
  cpSync(join(ROOT, 'fixtures/apps', SAMPLES[language] ?? 'static-site'), app, { recursive: true });
  if (language === 'ruby') writeLock(app, await vendorDebianGems(app, SINATRA), ['sinatra', 'webrick']);
  return app;
}

function nothing(): string {
  const bin = join(dir, NOTHING, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['detect', 'supply', 'finalize'])
    writeFileSync(join(bin, name), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(bin, 'release'), "#!/bin/sh\necho '--- {}'\n", { mode: 0o755 });
  return join(dir, NOTHING);
}

interface Staged {
  /** Supply of all buildpacks and finalize. */
  readonly ms: number;
  readonly wholeMs: number;
}

const event = z.object({
  type: z.string(),
  phase: z.object({ name: z.string() }).optional(),
  durationMs: z.number().optional(),
});

function staged(app: string, buildpack: string, home: string): Staged {
  const more = values.with.split(' ').filter(Boolean);
  const argv = ['stage', app, '-b', buildpack, '--json', '-m', '2G', '--disk', '8G', ...more];
  spawnSync('sync');
  const begun = performance.now();
  const text = execFileSync(join(ROOT, 'bin/stager'), argv, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, STAGER_HOME: home },
  });
  const wholeMs = performance.now() - begun;
  const ended = text
    .trimEnd()
    .split('\n')
    .map((line) => event.parse(JSON.parse(line)))
    .filter(({ type, phase }) => type === 'phase-ended' && /^(supply|finalize)$/.test(phase?.name ?? ''));
  return { ms: ended.reduce((sum, { durationMs = 0 }) => sum + durationMs, 0), wholeMs };
}

interface Time {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Processor time of ended children of this process, in ms. */
function childCpuMs(): number {
  const after = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ((Number(after[13]) + Number(after[14])) * 1000) / ticks;
}

/** The scripts of one staging, without what surrounds them. */
async function measured(app: Driver, language: string): Promise<Time> {
  const time = { ms: 0, cpuMs: 0 };
  app.around = async (script) => {
    const [ms, cpuMs] = [performance.now(), childCpuMs()];
    const outcome = await script();
    time.ms += performance.now() - ms;
    time.cpuMs += childCpuMs() - cpuMs;
    return outcome;
  };
  const outcome = await app.stage(language);
  if (outcome.code !== 0) throw new Error(outcome.output);
  return time;
}

async function alone(language: string, sample: string): Promise<{ first: Time; second: Time }> {
  const app = await Driver.of(sample);
  drivers.push(app);
  app.sharesDownloads = false;
  const first = await measured(app, language);
  for (const name of ['app', 'home', 'tmp', 'deps', 'profile.d'])
    await rename(app.at(name), app.at(`first-${name}`));
  await app.restart(sample);
  return { first, second: await measured(app, language) };
}

const of = (times: readonly { ms: number }[]): number => median(times.map(({ ms }) => ms));
const cpuOf = (times: readonly Time[]): number => median(times.map(({ cpuMs }) => cpuMs));
const seconds = (ms: number): string => (ms / 1000).toFixed(2);
const ratio = (second: number, first: number): string => (second / first).toFixed(2);

async function row(language: string): Promise<Record<string, unknown>> {
  const app = values.app ?? (await appOf(language));
  const buildpack = values.buildpack ?? (language === NOTHING ? nothing() : language);
  const inStager: [Staged[], Staged[]] = [[], []];
  const scripts: [Time[], Time[]] = [[], []];
  for (let n = 0; n < Number(values.runs); n++) {
    const home = join(dir, `home-${language}-${n}`);
    mkdirSync(home);
    for (const list of inStager) list.push(staged(app, buildpack, home));
    if (buildpack !== language) continue;
    const { first, second } = await alone(language, app);
    scripts[0].push(first);
    scripts[1].push(second);
  }
  const [first, second] = [of(inStager[0]), of(inStager[1])];
  const met = second <= LIMIT_MS && second <= first / 5;
  const whole = median(inStager[1].map(({ wholeMs }) => wholeMs));
  const cells = [language, seconds(first), seconds(second), ratio(second, first), seconds(whole)];
  const [firstAlone, secondAlone] = [of(scripts[0]), of(scripts[1])];
  if (scripts[0].length > 0) {
    const cpu = `${seconds(cpuOf(scripts[0]))}, ${seconds(cpuOf(scripts[1]))}`;
    cells.push(seconds(firstAlone), seconds(secondAlone), ratio(secondAlone, firstAlone), cpu);
  } else cells.push('', '', '', '');
  console.log(`| ${cells.join(' | ')} | ${language === NOTHING ? '' : met ? 'yes' : '**no**'} |`);
  return { inStager, scripts, met };
}

const results: Record<string, unknown> = {};
const before = load();
const columns = [
  ...['', 'first s', 'second s', 'of the first', 'all of the second s'],
  ...['scripts alone: first s', 'second s', 'of the first', 'processor s, first and second', 'met'],
];
console.log(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`);
try {
  for (const language of [...Object.keys(SAMPLES), NOTHING])
    if (positionals.length === 0 || positionals.includes(language)) results[language] = await row(language);
} finally {
  for (const driver of drivers) await driver[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
}
console.log(`\nload before ${before}, after ${load()}`);
save('languages', results);
