/**
 * Supply and finalize of each language's sample: the first staging, which downloads all, and the second one with nothing changed,
 * which may take a fifth of it and two seconds.
 *
 *     node bench/languages.ts [--runs 3] [LANGUAGE…]
 *
 * Medians; processor time of the scripts besides, which other work on the machine hardly changes. Writes bench/out/languages.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Driver } from '../test/support/buildpack-driver.ts';
import { SINATRA, vendorDebianGems, writeLock } from '../test/support/gems.ts';

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
const LIMIT_MS = 2000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '3' } },
});

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

async function measured(app: Driver, language: string): Promise<Time> {
  const [ms, cpuMs] = [performance.now(), childCpuMs()];
  const staged = await app.stage(language);
  if (staged.code !== 0) throw new Error(staged.output);
  return { ms: performance.now() - ms, cpuMs: childCpuMs() - cpuMs };
}

async function once(language: string, sample: string): Promise<{ first: Time; second: Time }> {
  await using app = await Driver.of(sample);
  app.sharesDownloads = false;
  if (language === 'ruby') {
    writeLock(app.at('app'), await vendorDebianGems(app.at('app'), SINATRA), ['sinatra', 'webrick']);
  }
  const first = await measured(app, language);
  // As the platform does: a fresh app and deps, the cache of the last staging.
  for (const path of ['deps/0', 'profile.d']) await rm(app.at(path), { recursive: true });
  await app.resetApp(sample);
  if (language === 'ruby') {
    writeLock(app.at('app'), await vendorDebianGems(app.at('app'), SINATRA), ['sinatra', 'webrick']);
  }
  return { first, second: await measured(app, language) };
}

function median(times: readonly Time[]): Time {
  return times.toSorted((a, b) => a.ms - b.ms)[Math.floor(times.length / 2)] ?? { ms: 0, cpuMs: 0 };
}

const results: Record<string, unknown> = {};
const seconds = (ms: number): string => (ms / 1000).toFixed(2);
console.log(
  '| | first s | second s | of the first | processor s, first and second | met |\n|---|---|---|---|---|---|',
);
for (const [language, sample] of Object.entries(SAMPLES)) {
  if (positionals.length > 0 && !positionals.includes(language)) continue;
  const runs = [];
  for (let n = 0; n < Number(values.runs); n++) runs.push(await once(language, sample));
  const [first, second] = [median(runs.map((run) => run.first)), median(runs.map((run) => run.second))];
  const met = second.ms <= LIMIT_MS && second.ms <= first.ms / 5;
  results[language] = { first, second, met };
  console.log(
    `| ${language} | ${seconds(first.ms)} | ${seconds(second.ms)} | ${(second.ms / first.ms).toFixed(2)} | ${seconds(first.cpuMs)}, ${seconds(second.cpuMs)} | ${met ? 'yes' : '**no**'} |`,
  );
}
const out = fileURLToPath(new URL('out', import.meta.url));
mkdirSync(out, { recursive: true });
writeFileSync(`${out}/languages.json`, `${JSON.stringify(results, null, 2)}\n`);
