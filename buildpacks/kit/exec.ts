/** Starting tools: argument arrays, no shell. Output goes straight to the staging log, live and in order. */
import { spawn } from 'node:child_process';
import { offlineVariables } from './bundle.ts';
import { BuildpackFailure, errnoOf } from './failure.ts';
import type { Env } from './mirrors.ts';

/** Program and arguments. */
export type Argv = readonly [string, ...string[]];

/** Where and with what a tool runs. */
export interface RunOptions {
  readonly cwd: string;
  /** The tool's whole environment; the program is looked up on its PATH. */
  readonly env: Env;
}

/**
 * Runs a tool to its end.
 *
 * @throws BuildpackFailure when it can't be started, exits other than 0 or is killed.
 */
export async function run(argv: Argv, options: RunOptions & { readonly next?: string }): Promise<void> {
  const ended = await start(argv, options, 'inherit');
  if (ended.outcome === 'exit 0') return;
  const next = options.next === undefined ? {} : { next: options.next };
  throw new BuildpackFailure(`${argv.join(' ')}: ${ended.outcome}`, next);
}

/** True when the tool ends with 0, false when not, undefined when it is not there. Its output is dropped. */
export async function succeeds(argv: Argv, env: Env): Promise<boolean | undefined> {
  const ended = await start(argv, { cwd: '/', env }, 'ignore');
  if (ended.missing) return undefined;
  return ended.outcome === 'exit 0';
}

/** What the tool wrote to stdout (at most `limit` characters are kept) and whether it ended with 0. */
export async function output(
  argv: Argv,
  options: RunOptions & { readonly limit?: number },
): Promise<{ ok: boolean; stdout: string }> {
  const ended = await start(argv, options, 'pipe', options.limit ?? 1_000_000);
  return { ok: ended.outcome === 'exit 0', stdout: ended.stdout };
}

interface Ended {
  readonly outcome: string;
  readonly stdout: string;
  readonly missing: boolean;
}

function start(
  [program, ...args]: Argv,
  options: RunOptions,
  stdout: 'inherit' | 'ignore' | 'pipe',
  limit = 0,
): Promise<Ended> {
  return new Promise((resolve) => {
    let text = '';
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...options.env, ...offlineVariables() },
      stdio: ['ignore', stdout, stdout === 'ignore' ? 'ignore' : 'inherit'],
    });
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(0, limit);
    });
    child.once('error', (error) => {
      const missing = errnoOf(error) === 'ENOENT';
      resolve({ outcome: missing ? 'no such program' : error.message, stdout: text, missing });
    });
    child.once('close', (code, signal) => {
      resolve({
        outcome: signal === null ? `exit ${code}` : `killed by ${signal}`,
        stdout: text,
        missing: false,
      });
    });
  });
}
