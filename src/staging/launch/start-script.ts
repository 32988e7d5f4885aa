/**
 * The shell script that starts a command in a droplet (buildpack-contracts.md 1.12, staging-internals.md 7.2).
 *
 * Everything happens in one bash, since a profile script's variables are for the next one and for the command.
 * The command and all paths are quoted into the script: a profile script may do what it likes to positional
 * parameters and variables. Where the original breaks (names with blanks, a profile script that changes the
 * directory), this does what was meant.
 */
import { shellQuote } from '../../words/shell.ts';
import { RUN_INSIDE } from './layout.ts';

/** Lines that people know from `cf logs`. */
export const PRE_START_MESSAGE = 'Invoking pre-start scripts.';
/** Comes after the profile scripts, before the command. */
export const START_MESSAGE = 'Invoking start command.';

/** A profile script that exits takes the whole process with it; nobody would know which. */
const ENDED = 'echo "$stager_script ended the process with $?, before the start command" >&2';

/** The launcher's shell; a stack without it can't run a droplet. */
export const BASH = '/bin/bash';

/** What the script starts. */
export interface LaunchScript {
  /** Shell text, as in a Procfile. */
  readonly command: string;
  /** Runs the command instead of `bash -c`, and gets it as one argument. */
  readonly entrypointPrefix?: string;
  /** Say when the scripts and the command start, as the original does; tasks for people are quieter. */
  readonly announce: boolean;
}

/** Program and arguments that launch `what` from a droplet at {@link RUN_INSIDE}. */
export function launchArgv(what: LaunchScript): readonly [string, ...string[]] {
  return [BASH, '-c', launchScript(what), 'launcher'];
}

/** The text of the script. */
export function launchScript(what: LaunchScript): string {
  const app = shellQuote(RUN_INSIDE.app);
  return [
    `cd ${app} || exit 1`,
    what.announce ? `echo ${shellQuote(PRE_START_MESSAGE)}` : '',
    `trap ${shellQuote(ENDED)} EXIT`,
    sourceAll(shellQuote(RUN_INSIDE.profileD)),
    sourceAll(`${app}/.profile.d`),
    `stager_script=${app}/.profile`,
    'if [ -f "$stager_script" ]; then source "$stager_script"; fi',
    'trap - EXIT',
    'unset stager_script',
    what.announce ? `echo ${shellQuote(START_MESSAGE)}` : '',
    execLine(what),
    '',
  ]
    .filter((line) => line !== '')
    .join('\n');
}

/** `stager run -- COMMAND ARGS…`: one word is shell text already, several are the words of a command. */
export function shellCommand(words: readonly string[]): string {
  const [only] = words;
  return words.length === 1 && only !== undefined ? only : words.map(shellQuote).join(' ');
}

/** Without a match the pattern itself is what the loop sees, and it is not a file. */
function sourceAll(directory: string): string {
  return `for stager_script in ${directory}/*; do
  if [ -f "$stager_script" ]; then source "$stager_script"; fi
done`;
}

function execLine({ command, entrypointPrefix }: LaunchScript): string {
  const argument = shellQuote(command);
  if (entrypointPrefix === undefined) return `exec "$BASH" -c ${argument}`;
  // The original pastes the prefix into its script, so it may be a command with arguments; a path with blanks
  // is a file, not such a command.
  const asFile = shellQuote(entrypointPrefix);
  const pasted = `exec ${entrypointPrefix} ${argument}`;
  if (!/\s/.test(entrypointPrefix)) return pasted;
  return `if [ -x ${asFile} ]; then exec ${asFile} ${argument}; fi\n${pasted}`;
}
