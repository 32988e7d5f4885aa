/**
 * Whose temporary files are whose. Each process writes below a directory of its own, whose name says the host and the
 * process (machine/host/process-label.ts). So the next process can tell at once what a killed one left, and never
 * touches a living one's files. Several machines may share a store: of another one, or another boot, only age can tell.
 */
import { hostname } from 'node:os';
import { lifeOfLabel, processLabel } from '../../../machine/host/process-label.ts';

/** Host, boot, pid namespace, pid, start time, and the tag that every label has. */
const PLACE = /^(?:[^.]*\.){3}/;

/** Name of this process's directory of temporary files. */
export function ownerName(): string {
  return `${hostname().replace(/[^A-Za-z0-9-]/g, '_')}.${processLabel()}.writer`;
}

/** Whether the owner of that name still lives: unknown when it is of another host, boot or pid namespace. */
export function ownerState(name: string): 'alive' | 'dead' | 'unknown' {
  const [place] = PLACE.exec(ownerName()) ?? [];
  return place !== undefined && name.startsWith(place) ? lifeOfLabel(name) : 'unknown';
}
