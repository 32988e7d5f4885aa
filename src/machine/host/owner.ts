/** Who owns files on the host: the user inside a sandbox is a different one outside. */
import { lchown, mkdir } from 'node:fs/promises';

/** Host uid and gid that files are given to. Without root it has to be the caller's own. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** False when what this process makes belongs to `owner` already (rootless). */
export function needsChown(owner: Owner): boolean {
  return process.getuid?.() !== owner.uid || process.getgid?.() !== owner.gid;
}

/** Makes a directory with its parents' existence assumed, owned by `owner`; fine when it is there. */
export async function ownedDirectory(path: string, owner: Owner, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  if (needsChown(owner)) await lchown(path, owner.uid, owner.gid);
}
