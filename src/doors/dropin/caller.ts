/** What the two programs get from their caller (arguments, environment, streams), and what they return. */
import { writeSync } from 'node:fs';

/** Go puts every other signal back to its default when it starts another program. */
export type IgnoredSignal = 'HUP' | 'INT';

/** The caller's side of a drop-in program. */
export interface DropinCaller {
  /** Name of the program as it was called; part of its messages. */
  readonly argv0: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Working directory, absolute; `PWD` where that names it, as Go has it. Undefined when it can't be told. */
  readonly cwd: string | undefined;
  /** Soft limit of open files at the start; undefined when it is the hard one. Node raises its own. */
  readonly openFiles: string | undefined;
  /** Signals that are ignored from the start, of the two that Go leaves so. */
  readonly ignored: readonly IgnoredSignal[];
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Ends the program with `status` after what was printed. */
export class Exit extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/**
 * Writes all of `text` to a descriptor. Synchronous, so that it keeps its place among what scripts write to the
 * same descriptor. A reader that has gone is not a failure of ours; a full pipe in non-blocking mode is waited for.
 */
export function writeAll(fd: number, text: string): void {
  let rest: Buffer = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
