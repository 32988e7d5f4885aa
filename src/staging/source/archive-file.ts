/** An archive on disk, and the failures that name it. */
import type { Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, isStagerError, StagerError } from '../../words/errors.ts';
import { changedWhileRead, unreadable } from './content.ts';

/** An archive by its path; the stat tells whether it is still the one that was looked at first. */
export class ArchiveFile {
  readonly description: string;
  readonly #path: string;
  #seen: Stats | undefined;

  constructor(path: string, description: string) {
    this.#path = path;
    this.description = description;
  }

  /** @throws StagerError SOURCE_UNREADABLE, SOURCE_CHANGED when it was replaced or rewritten since. */
  async open(): Promise<{ readonly handle: FileHandle; readonly sizeBytes: number }> {
    const handle = await open(this.#path, 'r').catch((error: unknown) => {
      throw unreadable(this.description, error);
    });
    const stat = await handle.stat();
    const seen = this.#seen;
    this.#seen ??= stat;
    if (
      seen === undefined ||
      (seen.ino === stat.ino && seen.size === stat.size && seen.mtimeMs === stat.mtimeMs)
    ) {
      return { handle, sizeBytes: stat.size };
    }
    await handle.close();
    throw changedWhileRead(this.description, 'was replaced');
  }

  /** SOURCE_ARCHIVE_INVALID; `entry` where it concerns one. A StagerError passes as it is. */
  damaged(
    what: string,
    options: { readonly entry?: string; readonly cause?: unknown; readonly next?: string } = {},
  ): StagerError {
    if (isStagerError(options.cause)) return options.cause;
    const reason = options.cause instanceof Error ? `: ${options.cause.message}` : '';
    const where = options.entry === undefined ? this.description : `${options.entry} in ${this.description}`;
    const errno = errnoOf(options.cause);
    if (errno === 'EIO' || errno === 'EISDIR') return unreadable(this.description, options.cause);
    return new StagerError('SOURCE_ARCHIVE_INVALID', `${where} ${what}${reason}`, {
      next: options.next ?? 'Create the archive again; if it was downloaded, it may be cut off.',
      details: { path: this.description, ...(options.entry === undefined ? {} : { entry: options.entry }) },
      cause: options.cause,
    });
  }
}
