/** Runs a buildpack's script as the original does: by its path, no shell, no stdin, the builder's own directory. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { pathError, withPathError } from './go/errno.ts';

/** A script and its surroundings. */
export interface ScriptRun {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** True to collect stdout instead of passing it on. */
  readonly capture: boolean;
}

/**
 * Runs a script to its end; its stderr is ours.
 *
 * @returns its stdout when captured, else nothing. A captured script has ended when its stdout is closed, so a
 * process that it leaves behind holds the staging, as in the original.
 * @throws Error `exit status 3`, `signal: killed` or `fork/exec /path: permission denied`.
 */
export async function runScript(run: ScriptRun): Promise<Buffer> {
  refuseWhatTheKernelRefuses(run.path);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const child = spawn(run.path, run.args, {
    env: run.env,
    stdio: ['ignore', run.capture ? 'pipe' : 'inherit', 'inherit'],
  });
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.once('error', (error) => reject(pathError('fork/exec', run.path, error)));
  child.once('close', (code, signal) => {
    if (signal !== null) reject(new Error(`signal: ${SIGNALS[signal] ?? signal}`));
    else if (code !== 0) reject(new Error(`exit status ${code}`));
    else resolve(Buffer.concat(chunks));
  });
  return promise;
}

/**
 * libuv starts scripts through execvp(3), which hands a file without `#!` to /bin/sh; the original's execve(2)
 * refuses it. Files that can't be read are left to the kernel.
 */
function refuseWhatTheKernelRefuses(path: string): void {
  const head = Buffer.alloc(4);
  let length: number;
  try {
    const fd = openSync(path, 'r');
    try {
      length = readSync(fd, head, 0, 4, 0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return;
  }
  const runs = head.toString('latin1', 0, 2) === '#!' || head.toString('latin1') === '\x7fELF';
  if (!runs || length < 2) refuse(path);
}

function refuse(path: string): void {
  withPathError('fork/exec', path, () => {
    throw new Error('exec format error');
  });
}

/** Signals in the words of Go. */
const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace/breakpoint trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGUSR1: 'user defined signal 1',
  SIGSEGV: 'segmentation fault',
  SIGUSR2: 'user defined signal 2',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'file size limit exceeded',
};
