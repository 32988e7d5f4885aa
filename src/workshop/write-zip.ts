/** Writes a zip whose bytes follow from its entries alone, aside, and moves it into place. */

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import yazl from 'yazl';
import { hashing } from '../machine/host/hashing.ts';
import { replaceFileWith } from '../machine/host/replace-file.ts';
import { callersMode } from '../machine/host/umask.ts';
import { errnoOf, StagerError } from '../words/errors.ts';

/** One entry, in the order in which they are written. */
export type ZipEntry =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly hostPath: string;
      readonly compress: boolean;
    }
  | { readonly kind: 'text'; readonly path: string; readonly mode: number; readonly text: string }
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

/** What was written. */
export interface WrittenZip {
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** A zip has local times; the same numbers everywhere, and no second field with the instant. */
const TIME = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true } as const;
const REGULAR = 0o100000;
const LINK = 0o120777;

/**
 * Writes the zip; nothing is visible at `out` until it is whole.
 *
 * @throws StagerError CONFIG_INVALID when it can't be written, CANCELLED.
 */
export async function writeZip(
  out: string,
  entries: readonly ZipEntry[],
  signal: AbortSignal,
): Promise<WrittenZip> {
  const zip = new yazl.ZipFile();
  const hash = createHash('sha256');
  const digesting = hashing(hash);
  // A file that can't be read or changes its size is reported on the zip, not on its stream.
  zip.on('error', (error) => digesting.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    for (const entry of entries) add(zip, entry);
    zip.end();
    const write = (to: Writable): Promise<void> => pipeline(zip.outputStream, digesting, to, { signal });
    await replaceFileWith(out, write, { mode: callersMode(0o666) });
    const { size } = await stat(out);
    return { sizeBytes: size, sha256: hash.digest('hex') };
  } catch (cause) {
    const errno = errnoOf(cause);
    if (signal.aborted || errno === undefined) throw cause;
    throw new StagerError('CONFIG_INVALID', `can't write ${out} (${errno})`, {
      next: 'Choose a file in a directory that exists, can be written and has space.',
      details: { file: out, errno },
      cause,
    });
  }
}

function add(zip: yazl.ZipFile, entry: ZipEntry): void {
  switch (entry.kind) {
    case 'file':
      zip.addFile(entry.hostPath, entry.path, {
        ...TIME,
        mode: REGULAR | entry.mode,
        compress: entry.compress,
      });
      break;
    case 'text':
      zip.addBuffer(Buffer.from(entry.text), entry.path, { ...TIME, mode: REGULAR | entry.mode });
      break;
    case 'symlink':
      zip.addBuffer(Buffer.from(entry.target), entry.path, { ...TIME, mode: LINK, compress: false });
      break;
    case 'directory':
      zip.addEmptyDirectory(entry.path, { ...TIME, mode: 0o040000 | entry.mode });
  }
}
