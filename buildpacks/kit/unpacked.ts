/**
 * What the machine has unpacked already. stager reads the note beside an archive in the cache, unpacks it once for all
 * apps, and shows what came out, read-only, at the next staging. The archive is not in the cache then. Elsewhere there is
 * no such tree, and the archive is unpacked.
 */
import { createHash } from 'node:crypto';
import { lstat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstallOptions } from './dependencies.ts';
import type { Dependency } from './manifest.ts';
import { fileNameOf } from './mirrors.ts';

/** Where stager shows it. */
export const UNPACKED_DIR = '/etc/stager/unpacked';

/** The note that asks for a dependency to be unpacked; undefined for what nobody but the kit can unpack. */
export function noteOf(
  { checksum, executable, uri }: Dependency,
  options: InstallOptions,
): string | undefined {
  const { pick, strip = 0, only } = options;
  const file = fileNameOf(uri);
  const isPlain = pick === undefined && executable === undefined && options.executable === undefined;
  if (!isPlain || !/\.(tgz|tar\.gz)$/.test(file)) return undefined;
  const { algorithm, digest } = checksum;
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return undefined;
  return JSON.stringify({ algorithm, digest, strip, only: only ?? null, file });
}

/** The tree that a note asks for; undefined when the machine has none. */
export async function unpackedTree(note: string | undefined, dir: string): Promise<string | undefined> {
  if (note === undefined) return undefined;
  const path = join(dir, createHash('sha256').update(note).digest('hex'));
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true ? path : undefined;
}

/** Leaves the note beside the archive. */
export async function leaveNote(note: string | undefined, cacheEntry: string): Promise<void> {
  if (note !== undefined) await writeFile(join(cacheEntry, 'unpacked.json'), note);
}
