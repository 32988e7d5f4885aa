/** A lock file that does not belong to what it locks: told before a package manager stumbles over it. */
import type { Log } from './log.ts';

/** What a lock lacks. */
export interface LockDrift {
  readonly lock: string;
  /** The file that names what is wanted. */
  readonly source: string;
  /** Wanted, and not in the lock. */
  readonly missing: readonly string[];
  /** The command that repairs it. */
  readonly repair: string;
}

const MOST = 10;

/** A warning, since package managers have the last word: they know conditions that nobody can read. */
export function tellLockDrift(log: Log, { lock, source, missing, repair }: LockDrift): void {
  if (missing.length === 0) return;
  const more = missing.length > MOST ? ` and ${missing.length - MOST} more` : '';
  log.warning(
    `${lock} does not belong to ${source}: it lacks ${missing.slice(0, MOST).join(', ')}${more}.\nRun ${repair} and commit the file.`,
  );
}
