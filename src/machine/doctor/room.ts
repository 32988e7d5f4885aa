/** How much free space a directory has. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../words/errors.ts';
import { formatBytes } from '../../words/units.ts';
import { type Facts, type Finding, noted } from './finding.ts';

export interface Room {
  readonly path: string;
  readonly freeBytes: number;
  readonly freeInodes: number;
}

/** A staging of an ordinary app needs about this much for workspace, caches and droplet. */
const COMFORTABLE_BYTES = 4 * 1024 ** 3;
const COMFORTABLE_INODES = 200_000;

/** @param flag that names another place. @throws what the file system says. */
export async function roomFinding(path: string, flag: string): Promise<Finding<Room>> {
  const { bavail, bsize, ffree, files } = await statfs(path);
  const freeBytes = bavail * bsize;
  const notes: string[] = [];
  if (freeBytes < COMFORTABLE_BYTES)
    notes.push(`only ${formatBytes(freeBytes)} are free: make room, or name another place with ${flag}`);
  // Some file systems have no fixed number of inodes and say 0.
  if (files > 0 && ffree < COMFORTABLE_INODES)
    notes.push(`only ${ffree} inodes are free: make room, or name another place with ${flag}`);
  return noted({ path, freeBytes, freeInodes: ffree }, notes);
}

/** The same of a server's directory, which its first start makes. */
export async function dataFinding(path: string): Promise<Finding<Facts>> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const found = await roomFinding(at, '--data');
      if (found.status === 'failed') return found;
      const { value, notes } = found;
      const made = at === path ? '' : ', created at the first start';
      return noted([`${path}, ${formatBytes(value.freeBytes)} free${made}`], notes);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || dirname(at) === at) throw error;
    }
  }
}
