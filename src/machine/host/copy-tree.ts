/** Copies a directory tree: modes and links kept, reflinked where the file system can, cancellable. */
import { constants } from 'node:fs';
import { chmod, copyFile, lchown, mkdir, readdir, readlink, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfCancelled } from '../../words/errors.ts';
import { needsChown, type Owner } from './owner.ts';

/** How to copy. */
export interface CopyOptions {
  readonly signal: AbortSignal;
  /** Who the copy belongs to; by default, whoever copies. */
  readonly owner?: Owner;
  /** Top-level names that are left out, such as `.git`. */
  readonly skip?: ReadonlySet<string>;
  /** Called for entries that are neither file, directory nor link; they are left out. */
  readonly onSpecial?: (path: string) => void;
}

/**
 * Copies `from` to `to`, which must not exist. Directories stay writable for their owner, so that a copy can be
 * removed again. Links are copied as links and never followed.
 */
export async function copyTree(from: string, to: string, options: CopyOptions): Promise<void> {
  throwIfCancelled(options.signal);
  const facts = await stat(from);
  await mkdir(to, { mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (options.skip?.has(entry.name) === true) continue;
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    const { skip: _topOnly, ...below } = options;
    if (entry.isDirectory()) await copyTree(source, target, below);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (entry.isFile()) await copyOne(source, target, options.signal);
    else options.onSpecial?.(source);
    if (!entry.isDirectory()) await giveTo(target, options.owner, entry.isFile() || entry.isSymbolicLink());
  }
  await utimes(to, facts.atime, facts.mtime);
  await chmod(to, (facts.mode & 0o777) | 0o700);
  await giveTo(to, options.owner, true);
}

async function copyOne(source: string, target: string, signal: AbortSignal): Promise<void> {
  throwIfCancelled(signal);
  const facts = await stat(source);
  await copyFile(source, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  // Set-id bits never travel.
  await chmod(target, facts.mode & 0o777);
  await utimes(target, facts.atime, facts.mtime);
}

async function giveTo(path: string, owner: Owner | undefined, exists: boolean): Promise<void> {
  if (owner !== undefined && exists && needsChown(owner)) await lchown(path, owner.uid, owner.gid);
}
