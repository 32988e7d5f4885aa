/** The {@link DropinCaller} of a program that `bin/dropin` started. */
import { statSync } from 'node:fs';
import { callerEnvironment } from '../../config/caller-environment.ts';
import { type DropinCaller, type IgnoredSignal, writeAll } from './caller.ts';

/**
 * Reads the arguments that `bin/dropin` puts before the caller's own: where the environment is handed over, limits of
 * open files and ignored signals, the program's name. Signals that were ignored are so again for this process.
 */
export function dropinCaller(argv: readonly string[]): DropinCaller {
  const [channel = '', limits = '', argv0 = '', ...args] = argv;
  const env = callerEnvironment(channel);
  const [soft, hard, mask = ''] = limits.split(':');
  const ignored = ignoredSignals(mask);
  for (const signal of ignored) process.on(`SIG${signal}`, () => {});
  for (const signal of UNHEARD) process.on(signal, () => {});
  return {
    argv0,
    args,
    env,
    cwd: workingDirectory(env),
    openFiles: soft === hard ? undefined : soft,
    ignored,
    stdout: (text) => writeAll(1, text),
    stderr: (text) => writeAll(2, text),
  };
}

/** A program of Go takes no notice of these; whatever it starts has them as they are by default. */
const UNHEARD = ['SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGXCPU'] as const;

/** @param mask the kernel's, in hex digits: one bit a signal, the lowest for SIGHUP. */
function ignoredSignals(mask: string): readonly IgnoredSignal[] {
  const low = Number.parseInt(mask.slice(-1), 16);
  return (['HUP', 'INT'] as const).filter((_, bit) => ((low >> bit) & 1) === 1);
}

/**
 * The working directory by the name that the caller has for it: PWD, where it is the same directory. Undefined when
 * it is gone, or can't be told.
 */
function workingDirectory(env: Readonly<Record<string, string>>): string | undefined {
  const named = env['PWD'] ?? '';
  try {
    if (named.startsWith('/') && isHere(named)) return named;
    return process.cwd();
  } catch {
    return undefined;
  }
}

function isHere(named: string): boolean {
  const here = statSync('.');
  try {
    const there = statSync(named);
    return there.ino === here.ino && there.dev === here.dev;
  } catch {
    return false;
  }
}
