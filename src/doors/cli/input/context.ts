/** What the command line passes to a command. */
import type { Stager } from '../../../compose.ts';
import type { Config } from '../../../config/load.ts';
import type { Output } from '../terminal/output.ts';

/** What a command's action gets. */
export interface Invocation {
  /** Positional arguments, in order; a variadic one is an array. */
  readonly args: readonly unknown[];
  /** The words after `--`; they are at the end of `args` as well. */
  readonly afterDashes: readonly string[];
  /** Flags that a person wrote. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** What every command works with. */
export interface Context extends Invocation {
  readonly config: Config;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Opened when it is first asked for, and closed when the command is done. */
  readonly stager: () => Promise<Stager>;
}

/** A command: does its work, returns the exit status. Failures are thrown. */
export type CommandAction = (context: Context) => Promise<number>;
