/** Ends this process, whatever is still going on. */
import { accessSync, constants } from 'node:fs';
import type { Writable } from 'node:stream';
import { writeCompiledCode } from './compiled-code.ts';

const SHELL = '/bin/sh';

/** Settles when what was written to `streams` is with the system, or nobody can read it. */
export async function written(...streams: readonly Writable[]): Promise<void> {
  for (const stream of streams) {
    if (stream.writableLength === 0 || stream.destroyed) continue;
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.write('', () => resolve());
    });
  }
}

/**
 * Ends this process with `status`, at once.
 *
 * `process.exit` waits for V8's threads, and one that compiles may wait for a collection that only this thread could
 * make: then neither ends, and signals are no longer handled. execve(2) waits for no thread; the shell that takes the
 * place does nothing but end.
 */
export function endProcess(status: number): never {
  writeCompiledCode();
  if (process.execve !== undefined && isProgram(SHELL))
    process.execve(SHELL, ['sh', '-c', `exit ${status}`], {});
  process.exit(status);
}

/** Node aborts when it can't execute. */
function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
