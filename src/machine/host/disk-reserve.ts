/** What is kept free of a machine's disks for everybody else. */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../words/errors.ts';
import { formatBytes } from '../../words/units.ts';

/** What has to stay free on a file system. */
export interface Reserve {
  readonly bytes: number;
  readonly files: number;
}

/** The last line, whoever filled the disk; those who hold others to it ask less of a machine that has little. */
export const RESERVE: Reserve = { bytes: 512 * 1024 * 1024, files: 20_000 };

/** Of a small file system this share is the reserve. */
const SHARE = 4;

/** One sentence when a file system of these directories has less left than its reserve. They need not exist yet. */
export async function whyBelowReserve(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    try {
      const why = await whyShort(path);
      if (why !== undefined) return why;
    } catch (error) {
      return `the disk of ${path} does not answer: ${errnoOf(error) ?? String(error)}`;
    }
  }
  return undefined;
}

async function whyShort(path: string): Promise<string | undefined> {
  const { blocks, bavail, bsize, files, ffree } = await statfs(await existing(path));
  const bytes = Math.min(RESERVE.bytes, (blocks * bsize) / SHARE);
  if (bavail * bsize < bytes)
    return `the disk of ${path} has ${formatBytes(bavail * bsize)} left, and ${formatBytes(bytes)} are its reserve`;
  // Some file systems count no inodes.
  const least = Math.floor(Math.min(RESERVE.files, files / SHARE));
  if (files > 0 && ffree < least)
    return `the disk of ${path} has ${ffree} inodes left, and ${least} are its reserve`;
  return undefined;
}

async function existing(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || dirname(at) === at) throw error;
    }
  }
}
