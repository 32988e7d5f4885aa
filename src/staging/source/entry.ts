/** What a source (directory, zip, tar) is made of, in the shape every later step understands. */
import type { Readable } from 'node:stream';
import type { RelPath } from '../../words/ids.ts';

/** One entry of a source. `mode` holds permission bits only (0o777); set-id bits are dropped. */
export type FileEntry =
  | {
      readonly kind: 'file';
      readonly path: RelPath;
      readonly mode: number;
      readonly sizeBytes: number;
      /** Milliseconds since the epoch. */
      readonly mtimeMs: number;
    }
  | { readonly kind: 'directory'; readonly path: RelPath; readonly mode: number; readonly mtimeMs: number }
  | { readonly kind: 'symlink'; readonly path: RelPath; readonly target: string; readonly mtimeMs: number };

/** What a file system says of a file in full resolution: what a stat cache compares. */
export interface FileStat {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** An entry with its content; for a file `open` may be called once, and before the next entry is asked for. */
export type SourceEntry = FileEntry & {
  /** Content of a file. Absent for directories and links. */
  readonly open?: () => Promise<Readable>;
  /** Host path of a file that may be copied (reflinked) instead of streamed. */
  readonly hostPath?: string;
  /** Hex digest that the content has to have; absent: whatever is there. */
  readonly sha256?: string;
  /** The lstat(2) that the entry came from, where the source has it; spares its readers another one. */
  readonly stat?: FileStat;
};

/** A source after its ignore rules were applied. */
export interface Source {
  /** As the person gave it, for messages. */
  readonly description: string;
  readonly kind: 'directory' | 'zip' | 'tar';
  /**
   * Entries in path order for directories, archive order for archives; parents come before children or are
   * implied. May be iterated more than once.
   *
   * @throws StagerError SOURCE_UNSAFE naming every refused entry, SOURCE_EMPTY, SOURCE_ARCHIVE_INVALID,
   * SOURCE_TOO_LARGE, SOURCE_UNREADABLE.
   */
  entries(options: { readonly signal: AbortSignal }): AsyncIterable<SourceEntry>;
  /** What to say when nothing is detected: empty, one nested folder, everything ignored. */
  hints(options: { readonly signal: AbortSignal }): Promise<readonly string[]>;
}
