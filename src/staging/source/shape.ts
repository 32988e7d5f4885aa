/**
 * The tree that an archive's names make up, checked as they come: an archive may name an entry twice, beneath a
 * file, or beneath a link it brought itself, and an unpacker that follows along writes somewhere else.
 */
import type { RelPath } from '../../words/ids.ts';

/** What stands at a path. `implied`: a parent that has no entry of its own (yet). */
type Standing = 'directory' | 'implied' | 'file' | 'symlink';

/** What to do with an entry. */
export type Placement =
  | { readonly place: 'new' }
  /** The same again: a directory, or a file that `identity` says is equal. */
  | { readonly place: 'repeated' }
  | { readonly place: 'refused'; readonly reason: string };

/** Names of one archive. Memory grows with entries and implied parents; both count as entries. */
export class Shape {
  readonly #standing = new Map<string, Standing>();
  readonly #identities = new Map<string, string>();
  #lastParent = '';

  /** Entries and implied parents so far. */
  get size(): number {
    return this.#standing.size;
  }

  /**
   * Places one entry.
   *
   * @param identity equal for two files with the same content (jar tools repeat entries); absent: never equal.
   */
  place(path: RelPath, kind: 'directory' | 'file' | 'symlink', identity?: string): Placement {
    const blocked = this.#placeParents(path);
    if (blocked !== undefined) return { place: 'refused', reason: blocked };
    const before = this.#standing.get(path);
    if (before === undefined || (before === 'implied' && kind === 'directory')) {
      this.#standing.set(path, kind);
      if (identity !== undefined) this.#identities.set(path, identity);
      return { place: 'new' };
    }
    if (before === 'directory' && kind === 'directory') return { place: 'repeated' };
    if (before === 'implied')
      return { place: 'refused', reason: 'is a file or link that has entries below it' };
    if (before === kind && identity !== undefined && this.#identities.get(path) === identity) {
      return { place: 'repeated' };
    }
    // A tar that was appended to has no digests to compare.
    const different = identity === undefined ? '' : ' with different content';
    return { place: 'refused', reason: `occurs twice${different}` };
  }

  #placeParents(path: string): string | undefined {
    const slash = path.lastIndexOf('/');
    if (slash < 0) return undefined;
    const parent = path.slice(0, slash);
    if (parent === this.#lastParent) return undefined;
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      const standing = this.#standing.get(above);
      if (standing === 'file') return `lies beneath the file ${above}`;
      if (standing === 'symlink') return `lies beneath the symbolic link ${above}`;
      if (standing === undefined) this.#standing.set(above, 'implied');
    }
    this.#lastParent = parent;
    return undefined;
  }
}
