/**
 * A user namespace that is made by an ordinary user. What the kernel counts for each user (inotify instances, pending
 * signals, message queues …) it also counts for whoever made the namespace, one level up: made by root, a script takes
 * from what root has; made by the first id of its own range, it takes from nobody.
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { RANGE_SIZE } from './user-ranges.ts';

/** Waits until it is let go; the namespace lives on in our descriptor. */
const HOLD = 'echo; read -r gone';

/**
 * Makes the namespace of the range that begins at `start`: ids from 0 inside are those from there on. Needs root.
 *
 * @returns a descriptor of it, or undefined where that is not available.
 */
export async function userSpaceOf(
  unshare: string,
  start: number,
  size = RANGE_SIZE,
): Promise<FileHandle | undefined> {
  const child = spawn(unshare, ['--user', '/bin/sh', '-c', HOLD], {
    stdio: ['pipe', 'pipe', 'ignore'],
    uid: start,
    gid: start,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
  });
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  child.stdin.on('error', () => undefined);
  const ready = new Promise<boolean>((resolve) => {
    child.stdout.once('data', () => resolve(true));
    void gone.then(() => resolve(false));
  });
  try {
    if (!(await ready)) return undefined;
    for (const name of ['uid_map', 'gid_map'])
      await writeFile(`/proc/${child.pid}/${name}`, `0 ${start} ${size}\n`);
    return await open(`/proc/${child.pid}/ns/user`);
  } catch {
    return undefined;
  } finally {
    child.stdin.end();
    await gone;
  }
}
