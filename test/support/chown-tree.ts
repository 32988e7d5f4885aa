/** Gives a tree to the owner of a sandbox, as materialise does for an app. */
import { lchown, readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function chownTree(
  path: string,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  if (process.getuid?.() === owner.uid) return;
  await lchown(path, owner.uid, owner.gid);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await chownTree(child, owner);
    else await lchown(child, owner.uid, owner.gid);
  }
}
