/** What is known of a tree on disk without looking at it. */

/** One entry; of a file the digest of its bytes as well. */
export type KnownChild =
  | {
      readonly kind: 'file';
      readonly mode: number;
      readonly size: number;
      /** Whole seconds since the epoch. */
      readonly mtime: number;
      readonly sha256: string;
    }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string };

/** What is known of what is in a directory. Names are byte strings. */
export interface KnownChildren {
  readonly children: ReadonlyMap<string, KnownChild>;
  /** Nothing else is in it, and all that is below is known as well. */
  readonly whole: boolean;
}

/** See the top of the file. */
export interface KnownTree {
  /** @param host a directory, as a byte string that ends with a slash; undefined: nothing is known. */
  childrenOf(host: string): KnownChildren | undefined;
}
