/** Which process is this, in a way that survives reuse of pids, reboots and containers. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** One process of one boot of one machine. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot at which the process started (/proc/PID/stat, field 22). */
  readonly startTime: string;
  readonly bootId: string;
  /** `pid:[4026531836]`: the namespace the pid is a number of. */
  readonly pidNamespace: string;
  readonly host: string;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  own.startTime ??= startTimeOf(process.pid) ?? '';
  return {
    pid: process.pid,
    startTime: own.startTime,
    bootId: bootId(),
    pidNamespace: pidNamespace(),
    host: hostname(),
  };
}

/**
 * Whether that process still runs. `unknown` where it can't be seen from here (another machine on a shared
 * directory, another container): nothing of it may be touched.
 */
export function lifeOf(owner: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (owner.host !== hostname()) return 'unknown';
  if (owner.bootId !== bootId()) return 'dead';
  if (owner.pidNamespace !== pidNamespace()) return 'unknown';
  return startTimeOf(owner.pid) === owner.startTime ? 'alive' : 'dead';
}

/** Of this process: files of /proc are slow to read, and every file that is written aside is named by them. */
const own: { startTime?: string; bootId?: string; pidNamespace?: string } = {};

/** This boot of this machine. */
export function bootId(): string {
  own.bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return own.bootId;
}

function pidNamespace(): string {
  own.pidNamespace ??= readlinkSync('/proc/self/ns/pid');
  return own.pidNamespace;
}

/** Clock ticks after boot; undefined when there is no such process, or only its unreaped remains. */
export function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}
