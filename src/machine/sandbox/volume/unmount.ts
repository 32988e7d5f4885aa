/** Finds and unmounts the volumes of stagers. */
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { parseMountInfo } from '../kernel/mountinfo.ts';
import { readOrNothing } from '../kernel/processes.ts';

/** Below the state directory of a process: paths of mounts to undo, one a line. */
export const MOUNTS_FILE = 'mounts';

/** For programs of the system. */
export const SYSTEM_PATH = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' } as const;

/** Finds mount point and kind of a volume, whosever it is, in /proc/mounts: a workspace's directory is named by its guid. */
export const VOLUME_POINT = ' /[^ ]*/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} (ext4|tmpfs) ';

/** Takes away what is mounted at `at` (a real path), also while it is in use; nothing mounted is fine. */
export async function unmountAt(at: string): Promise<void> {
  if (!(await isMounted(at))) return;
  await execa('umount', ['-l', at], { reject: false, stdin: 'ignore', env: SYSTEM_PATH });
}

/** Takes away whatever is mounted below a directory; one that is not there is fine. */
export async function unmountBelow(directory: string): Promise<void> {
  const place = await realpath(directory).catch(() => undefined);
  if (place === undefined) return;
  const prefix = `${place}/`;
  const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
  for (const { mountPoint } of mounts.toReversed())
    if (mountPoint.startsWith(prefix)) await unmountAt(mountPoint);
}

/** Mount points that the process of a state directory had made. */
export async function toldMounts(directory: string): Promise<readonly string[]> {
  const text = (await readOrNothing(join(directory, MOUNTS_FILE))) ?? '';
  return text.split('\n').filter(Boolean);
}

async function isMounted(at: string): Promise<boolean> {
  const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
  return mounts.some(({ mountPoint }) => mountPoint === at);
}
