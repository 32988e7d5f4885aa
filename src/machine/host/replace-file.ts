/** Files that others read while they change: written aside, renamed, so that readers see one of them whole. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asidePath, sweepDead } from './process-label.ts';

/** How a file is replaced. */
export interface ReplaceOptions {
  /** Mode of the file, less the umask; default 0644. */
  readonly mode?: number;
  /** True where a crash must not lose it: the content is on the disk before the name is. */
  readonly durable: boolean;
}

/**
 * Puts `content` at `path`, whose directory exists. Until this settles, and after it failed, the old file stays.
 * What a crash leaves ends in `.new`.
 *
 * @throws what the system says.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  options: ReplaceOptions,
): Promise<void> {
  const aside = asidePath(path);
  try {
    {
      await using file = await open(aside, 'wx', options.mode ?? 0o644);
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else for (const piece of content) await file.writeFile(piece);
      if (options.durable) await file.sync();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Puts what `write` writes at `path`, which is in a directory of a person: synced, under a hidden name until it is whole.
 * What a writer left there that died is removed first.
 *
 * @returns what `write` returns.
 * @throws what the system and `write` say.
 */
export async function replaceFileWith<T>(
  path: string,
  write: (to: WriteStream) => Promise<T>,
  { mode = 0o644 }: { readonly mode?: number } = {},
): Promise<T> {
  const directory = dirname(path);
  await sweepDead([directory]);
  const aside = asidePath(join(directory, '.stager'));
  try {
    const written = await write(createWriteStream(aside, { flags: 'wx', flush: true, mode }));
    await rename(aside, path);
    await using folder = await open(directory, 'r');
    await folder.sync();
    return written;
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}
