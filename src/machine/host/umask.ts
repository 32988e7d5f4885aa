/**
 * What is staged must not depend on who stages: files of apps, buildpacks and stacks get the modes that they have,
 * whatever the caller's umask. What the caller keeps for themselves still follows their umask.
 */

/** The umask that all modes in this program are written for. */
const OURS = 0o022;
let callers: number | undefined;

/** Sets our umask and remembers the caller's. A program of ours calls it first; a library leaves its host alone. */
export function takeUmask(): void {
  callers ??= process.umask(OURS);
}

/** `mode` less what the caller's umask takes; ours takes its part as well. */
export function callersMode(mode: number): number {
  return mode & ~(callers ?? process.umask());
}
