/** Runs things side by side and says how long they took. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Inputs and scratch space; on the disk of the repository, never committed. */
export const CACHE = `${ROOT}.cache/bench`;

/** One measured run. */
export interface Run {
  readonly ms: number;
  /** Bytes of what was made, where something was. */
  readonly bytes?: number;
  /** Peak resident memory of the process; of the largest one for a pipe. */
  readonly rssBytes?: number;
}

/** Something to measure. `prepare` is not counted. */
export interface Contender {
  readonly name: string;
  readonly prepare?: () => void;
  readonly run: () => Run;
}

/** Runs of one contender, reduced. */
export interface Measured {
  readonly name: string;
  readonly medianMs: number;
  readonly allMs: readonly number[];
  readonly bytes?: number;
  readonly rssBytes?: number;
}

/**
 * Runs every contender `runs` times, taking turns, so that a slow minute of the machine is shared. Dirty pages are
 * written out before each, so that nobody pays for the one before. With `changePlaces` every other round goes backwards.
 */
export function sideBySide(
  contenders: readonly Contender[],
  runs: number,
  { changePlaces = false }: { readonly changePlaces?: boolean } = {},
): Measured[] {
  const results = contenders.map(() => [] as Run[]);
  for (let i = 0; i < runs; i++) {
    const turns = [...contenders.entries()];
    for (const [index, contender] of changePlaces && i % 2 === 1 ? turns.toReversed() : turns) {
      contender.prepare?.();
      spawnSync('sync');
      const run = contender.run();
      results[index]?.push(run);
      console.error(`  ${contender.name}: ${(run.ms / 1000).toFixed(2)} s`);
    }
  }
  return contenders.map(({ name }, index) => reduce(name, results[index] ?? []));
}

function reduce(name: string, runs: readonly Run[]): Measured {
  const allMs = runs.map((run) => Math.round(run.ms));
  const rss = runs.map((run) => run.rssBytes ?? 0);
  const bytes = runs.at(-1)?.bytes;
  return {
    name,
    medianMs: median(allMs),
    allMs,
    ...(bytes === undefined ? {} : { bytes }),
    ...(Math.max(...rss) > 0 ? { rssBytes: Math.max(...rss) } : {}),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : Math.round(((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2);
}

/** A shell command as a run; `out` is a file whose size counts. */
export function shell(command: string, out?: string): Run {
  const started = performance.now();
  execFileSync('sh', ['-ec', command], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ms = performance.now() - started;
  return out === undefined ? { ms } : { ms, bytes: sizeOf(out) };
}

/** What a command of a shell took; the processor time is that of all that it waited for. */
export interface Timed {
  readonly ms: number;
  readonly cpuMs: number;
  /** Of the droplet, where it names one. */
  readonly digest?: string;
}

/** Runs a command of a shell. */
export function timed(command: string): Timed {
  spawnSync('sync');
  const begun = performance.now();
  const script = `${command}\ntimes`;
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', script], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const ms = performance.now() - begun;
  if (status !== 0) throw new Error(stderr || stdout);
  const [children = ''] = stdout.trimEnd().split('\n').slice(-1);
  const cpuMs = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000,
    0,
  );
  const digest = /sha256:[0-9a-f]{64}/.exec(stdout)?.[0];
  return { ms, cpuMs, ...(digest !== undefined && { digest }) };
}

const programReport = z.object({ ms: z.number(), bytes: z.number().optional(), rssBytes: z.number() });

/** One task of bench/program.ts in a process of its own; its start is not counted, its threads are. */
export function program(task: Readonly<Record<string, unknown>>): Run {
  const file = fileURLToPath(new URL('program.ts', import.meta.url));
  const output = execFileSync(process.execPath, [file, JSON.stringify(task)], { encoding: 'utf8' });
  const { ms, rssBytes, bytes } = programReport.parse(JSON.parse(output));
  return { ms, rssBytes, ...(bytes === undefined ? {} : { bytes }) };
}

export function sizeOf(path: string): number {
  return Number(execFileSync('stat', ['-c', '%s', path], { encoding: 'utf8' }));
}

/** An empty directory for one contender. */
export function emptied(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** What the numbers were taken on. */
export function machine(): Record<string, unknown> {
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const { model } = cpus()[0] ?? { model: 'unknown' };
  return { cpu: model, cores: availableParallelism(), memory, kernel: release(), node: process.version };
}

/** Writes a suite's results to bench/out. */
export function save(suite: string, results: unknown): void {
  mkdirSync(`${ROOT}bench/out`, { recursive: true });
  const document = { suite, at: new Date().toISOString(), machine: machine(), results };
  writeFileSync(`${ROOT}bench/out/${suite}.json`, `${JSON.stringify(document, null, 2)}\n`);
}

/** The one-minute load before a run: numbers taken beside other work are not numbers. */
export function load(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
}
