/** The files that a source would send, for the library: what `stager files` does. */
import type { IgnoreLine } from '../../staging/source/ignore.ts';
import {
  type Explanation,
  type FilesOptions,
  type SentEntry,
  sentEntries,
  whyIgnored,
} from '../../workshop/files.ts';
import { type CommonOptions, configOf } from './options.ts';

/** Options of `listFiles` and `explainFile`. */
export interface SourceFilesOptions extends Pick<CommonOptions, 'home' | 'signal'> {
  /** Directory or archive; default `.`. */
  readonly source?: string;
  readonly ignoreStyle?: 'cf' | 'git';
  /** Told of lines in the ignore file that are not rules. Must not throw. */
  readonly onUnusable?: (line: IgnoreLine) => void;
}

/** The entries that would be sent, and last the totals. @throws StagerError SOURCE_*, CANCELLED. */
export async function* listFiles(options: SourceFilesOptions = {}): AsyncGenerator<SentEntry, void, void> {
  yield* sentEntries(options.source ?? '.', await filesOptions(options));
}

/** Which rule decides on `path`, relative to the source. @throws StagerError SOURCE_*, USAGE for a path outside of it. */
export async function explainFile(path: string, options: SourceFilesOptions = {}): Promise<Explanation> {
  return await whyIgnored(options.source ?? '.', path, await filesOptions(options));
}

async function filesOptions(options: SourceFilesOptions): Promise<FilesOptions> {
  const { settings, cacheHome } = await configOf(options);
  return {
    ignoreStyle: options.ignoreStyle ?? settings.ignoreStyle,
    tempRoot: cacheHome,
    signal: options.signal ?? new AbortController().signal,
    ...(options.onUnusable !== undefined && { onUnusable: options.onUnusable }),
  };
}
