/**
 * Whose temporary files are whose. Each process writes below a directory of its own, whose name says host, boot,
 * pid namespace, pid and start time. So the next process can tell at once what a killed one left, and never
 * touches a living one's files. On another host only age can tell.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { startTimeOf } from '../../../machine/host/process-identity.ts';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return '0';
  }
}

/** Host, boot and pid namespace: within one of them a pid and its start time name one process. */
function placeName(): string {
  const host = hostname().replace(/[^A-Za-z0-9-]/g, '_');
  const boot = read('/proc/sys/kernel/random/boot_id').slice(0, 8) || '0';
  return `${host}.${boot}.${pidNamespace()}`;
}

/** Name of this process's directory of temporary files. */
export function ownerName(): string {
  return `${placeName()}.${process.pid}.${startTimeOf(process.pid) ?? '0'}`;
}

/** Whether the owner of that name still lives: unknown when it is of another place, or without /proc. */
export function ownerState(name: string): 'alive' | 'dead' | 'unknown' {
  const match = /^(.+)\.(\d+)\.(\d+)$/.exec(name);
  if (match === null || match[1] !== placeName() || match[3] === '0') return 'unknown';
  return startTimeOf(Number(match[2])) === match[3] ? 'alive' : 'dead';
}

/** Names in a directory; none when it does not exist. */
export function namesNow(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
