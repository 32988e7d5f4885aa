/** Small files that others read while they change: written aside, renamed, so that readers see one of them whole. */
import { open, rename, rm } from 'node:fs/promises';
import { asidePath } from './process-label.ts';

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
  content: string | Uint8Array,
  options: ReplaceOptions,
): Promise<void> {
  const aside = asidePath(path);
  try {
    {
      await using file = await open(aside, 'wx', options.mode ?? 0o644);
      await file.writeFile(content);
      if (options.durable) await file.sync();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}
