/** The {@link Caller} of a program that `bin/dropin` started. */
import { statSync } from 'node:fs';
import { callerEnvironment } from '../config/caller-environment.ts';
import { type Caller, writeAll } from './caller.ts';

/**
 * Reads the arguments that `bin/dropin` puts before the caller's own: where the environment is handed over, the
 * limit of open files, the program's name.
 */
export function callerOf(argv: readonly string[]): Caller {
  const [channel = '', limits = '', argv0 = '', ...args] = argv;
  const env = callerEnvironment(channel);
  const [soft, hard] = limits.split(':');
  return {
    argv0,
    args,
    env,
    cwd: workingDirectory(env),
    openFiles: soft === hard ? undefined : soft,
    stdout: (text) => writeAll(1, text),
    stderr: (text) => writeAll(2, text),
  };
}

/** The working directory by the name that the caller has for it: PWD, where it is the same directory. */
function workingDirectory(env: Readonly<Record<string, string>>): string {
  const named = env['PWD'] ?? '';
  if (!named.startsWith('/')) return process.cwd();
  const there = statSync(named, { throwIfNoEntry: false });
  const here = statSync('.');
  return there?.ino === here.ino && there.dev === here.dev ? named : process.cwd();
}
