/** The entries that a source would send, and why a path is included or not. */
import { lstat, realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { type IgnoreLine, IgnoreRules, type IgnoreStyle, type PathKind } from '../staging/source/ignore.ts';
import { openSource } from '../staging/source/open.ts';
import { isStagerError, StagerError } from '../words/errors.ts';

/** One entry that would be sent; the totals come last. */
export type SentEntry =
  | {
      readonly type: 'file';
      readonly path: string;
      /** Permission bits. */
      readonly mode: number;
      readonly sizeBytes: number;
    }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly type: 'totals';
      readonly files: number;
      readonly directories: number;
      readonly symlinks: number;
      readonly sizeBytes: number;
    };

/** How the source is read. */
export interface FilesOptions {
  readonly ignoreStyle: IgnoreStyle;
  /** Directory for what has to be kept on disk in the meantime. */
  readonly tempRoot: string;
  readonly signal: AbortSignal;
  /** Told of lines in the ignore file that are not rules and so without effect. */
  readonly onUnusable?: (line: IgnoreLine) => void;
}

/**
 * The entries that would be sent, in the source's order. Nothing is read but names and, in archives, headers.
 *
 * @throws StagerError SOURCE_UNSAFE with every refused entry before the first one is handed out, and what opening
 * and reading a source can throw.
 */
export async function* sentEntries(path: string, options: FilesOptions): AsyncGenerator<SentEntry> {
  const source = await openSource(path, options);
  const { unusable } = await source.ignoreRules(options);
  for (const line of unusable) options.onUnusable?.(line);
  const totals = { type: 'totals', files: 0, directories: 0, symlinks: 0, sizeBytes: 0 };
  for await (const entry of source.entries(options)) {
    if (entry.kind === 'file') {
      const { mode, sizeBytes } = entry;
      totals.files += 1;
      totals.sizeBytes += sizeBytes;
      yield { type: 'file', path: entry.path, mode, sizeBytes };
    } else if (entry.kind === 'directory') {
      totals.directories += 1;
      yield { type: 'directory', path: entry.path, mode: entry.mode };
    } else {
      totals.symlinks += 1;
      yield { type: 'symlink', path: entry.path, target: entry.target };
    }
  }
  yield { ...totals, type: 'totals' };
}

/** `special`: a device, pipe or socket. */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'special';

/** The decision on one path. */
export interface Explanation {
  /** Relative to the source, without a slash at its end. */
  readonly path: string;
  /** False: the source has no such entry, and the decision is the one on an entry of this name and kind. */
  readonly exists: boolean;
  readonly kind: EntryKind;
  readonly ignored: boolean;
  /** The line that decided; none when no rule matched. */
  readonly rule?: IgnoreLine;
  /** The directory that the rule matched, where it takes everything below along. */
  readonly because?: string;
}

/**
 * Says which rule decides on `asked`: a path in the source, or one of the host below a source directory. A slash at
 * its end says that it is a directory.
 *
 * @throws StagerError USAGE for a path outside the source.
 */
export async function whyIgnored(path: string, asked: string, options: FilesOptions): Promise<Explanation> {
  const source = await openSource(path, options);
  const inside = await within(path, source.kind, asked);
  const rules = await source.ignoreRules(options);
  for (const line of rules.unusable) options.onUnusable?.(line);
  const found =
    source.kind === 'directory' ? await kindOnDisk(path, inside) : await kindInArchive(path, inside, options);
  const kind = found ?? (asked.endsWith('/') ? 'directory' : 'file');
  const pathKind: PathKind = kind === 'directory' ? 'directory' : 'other';
  // As the client sees it: directories of a zip have a slash at the end of their name.
  const name = source.kind === 'zip' && kind === 'directory' ? `${inside}/` : inside;
  const { ignored, rule, because } = rules.explain(name, pathKind);
  return {
    path: inside,
    exists: found !== undefined,
    kind,
    ignored,
    ...(rule !== undefined && { rule }),
    ...(because !== undefined && { because }),
  };
}

async function within(root: string, kind: string, asked: string): Promise<string> {
  const base = kind === 'directory' ? await realpath(root) : '/';
  const path = isAbsolute(asked) && kind === 'directory' ? asked : join(base, asked);
  const inside = relative(base, path);
  if (inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`)) return inside;
  throw new StagerError('USAGE', `${asked} is not a path in ${root}`, {
    next: 'Name the path as `stager files` shows it, relative to the source.',
    details: { path: asked, source: root },
  });
}

async function kindOnDisk(root: string, path: string): Promise<EntryKind | undefined> {
  const facts = await lstat(join(root, path)).catch(() => undefined);
  if (facts === undefined) return undefined;
  if (facts.isSymbolicLink()) return 'symlink';
  if (facts.isDirectory()) return 'directory';
  return facts.isFile() ? 'file' : 'special';
}

/** Reads the archive once more with no rule at all, so that ignored entries show as well. */
async function kindInArchive(
  archive: string,
  path: string,
  options: FilesOptions,
): Promise<EntryKind | undefined> {
  const everything = await openSource(archive, { ...options, rules: new IgnoreRules('cf', [], []) });
  try {
    for await (const entry of everything.entries(options)) {
      if (entry.path === path) return entry.kind;
      if (entry.path.startsWith(`${path}/`)) return 'directory';
    }
  } catch (error) {
    // An ignored entry may be unsafe: that is the listing's to say.
    if (!isStagerError(error, 'SOURCE_UNSAFE', 'SOURCE_EMPTY')) throw error;
  }
  return undefined;
}
