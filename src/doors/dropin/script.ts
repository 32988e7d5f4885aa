/** Runs a buildpack's script as the original does: by its path, no shell, no stdin, the builder's own directory. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pathError, withPathError } from './go/errno.ts';
import { kernelRefuses } from './kernel-refusals.ts';

/** A script and its surroundings. */
export interface ScriptRun {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs a script to its end; its stdout and stderr are ours.
 *
 * @throws Error `exit status 3`, `signal: killed` or `fork/exec /path: permission denied`.
 */
export async function runScript(run: ScriptRun): Promise<void> {
  await start(run, 'inherit');
}

/**
 * Runs a script to its end and returns what it wrote to stdout. It has ended when stdout is closed, so a process
 * that it leaves behind holds the staging, as in the original.
 *
 * @param scratch a private directory
 * @throws Error as {@link runScript}
 */
export async function captureScript(run: ScriptRun, scratch: string): Promise<Buffer> {
  const pipe = openPipe(join(scratch, '.stdout'));
  const output = buffer(pipe.reader);
  let ended: Promise<void>;
  try {
    ended = start(run, pipe.writer);
  } finally {
    closeSync(pipe.writer);
  }
  const [outcome, collected] = await Promise.allSettled([ended, output]);
  if (outcome.status === 'rejected') throw outcome.reason;
  if (collected.status === 'rejected') throw collected.reason;
  return collected.value;
}

/** Not Node's own pipe, which is a socket: a script that writes to /dev/stdout could not open it. */
function openPipe(path: string): { readonly reader: Socket; readonly writer: number } {
  execFileSync('mkfifo', ['-m', '600', path], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    // The reader first and without waiting, otherwise each end would wait for the other.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    return { reader: new Socket({ fd, readable: true, writable: false }), writer };
  } finally {
    rmSync(path);
  }
}

async function start(run: ScriptRun, stdout: 'inherit' | number): Promise<void> {
  if (kernelRefuses(run.path)) refuse(run.path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Most of what keeps a program from starting is thrown here, the rest comes as an event.
  const child = withPathError('fork/exec', run.path, () =>
    spawn(run.path, run.args, { env: run.env, stdio: ['ignore', stdout, 'inherit'] }),
  );
  child.once('error', (error) => reject(pathError('fork/exec', run.path, error)));
  child.once('exit', (code, signal) => {
    if (signal !== null) reject(new Error(`signal: ${SIGNALS[signal] ?? signal}`));
    else if (code !== 0) reject(new Error(`exit status ${code}`));
    else resolve();
  });
  return promise;
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
