/** Says whether a tree can serve as a stack. */
import { readFile } from 'node:fs/promises';
import { StagerError } from '../../words/errors.ts';
import { InsideView } from '../sandbox/child/inside-view.ts';
import { whyNotStartable } from '../sandbox/child/startable.ts';

/** Somebody who owns nothing of the tree. */
const ANYBODY = { uid: -1, gid: -1 } as const;

/**
 * @returns the name that the tree gives itself (os-release), or a plain one.
 * @throws StagerError STACK_INVALID when it has no /bin/sh that can run here.
 */
export async function checkStack(rootfs: string, source: string): Promise<string> {
  const view = new InsideView(rootfs, []);
  const why = await whyNotStartable('/bin/sh', view, ANYBODY);
  if (why === undefined) return (await prettyName(view)) ?? 'Linux';
  throw new StagerError('STACK_INVALID', `${source} can't be a stack: it has no usable /bin/sh: ${why}`, {
    next: "Give a root file system with a shell, for this machine's architecture, such as one that debootstrap makes.",
    details: { path: source },
  });
}

/** PRETTY_NAME of os-release(5). */
export const prettyName = (view: InsideView): Promise<string | undefined> => osRelease(view, 'PRETTY_NAME');

/** One value of os-release(5). */
export async function osRelease(
  view: InsideView,
  key: 'ID' | 'PRETTY_NAME' | 'VERSION_ID',
): Promise<string | undefined> {
  const line = new RegExp(`^${key}=["']?([^"'\\n]{1,200})["']?$`, 'm');
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    const found = await view.resolve(path);
    if ('missing' in found || !found.stats.isFile()) continue;
    const value = line.exec(await readFile(found.host, 'utf8'))?.[1];
    if (value !== undefined) return value;
  }
  return undefined;
}
